"""How alike two words are in spelling. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from ner_head.linking.keys import skeleton

WIDTH = 256  # buckets of the letter n-grams
KNOWN = 1 << 18  # similarities that are kept
FAR = 0.3  # words whose n-grams have a smaller cosine are not compared letter by letter


class Spelling:
    """Words as vectors of hashed letter n-grams, and the similarity of pairs of them.

    Args:
        words: Words, spelled by sound.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = sorted(set(words))
        self.number = {word: number for number, word in enumerate(self.words)}
        self.rows = np.zeros((len(self.words), WIDTH), dtype=np.float32)
        for row, word in zip(self.rows, self.words, strict=True):
            _count(row, f"^{word}$")
            _count(row, f"<{skeleton(word)}>")
            row /= np.linalg.norm(row)
        self._compared = lru_cache(maxsize=KNOWN)(self._compare)

    def similarity(self, one: str, other: str) -> float:
        """1 for equal words, to 0."""
        if one == other:
            return 1.0
        return self._compared(*sorted((one, other)))

    def of_name(self, words: Iterable[str]) -> NDArray[np.float32]:
        """The direction of the words of a name together, (WIDTH,)."""
        total: NDArray[np.float32] = self.rows[[self.number[word] for word in words]].sum(0)
        return total / np.linalg.norm(total)

    def _compare(self, one: str, other: str) -> float:
        cosine = float(self.rows[self.number[one]] @ self.rows[self.number[other]])
        if cosine < FAR:
            return cosine / 2
        bones = alike(skeleton(one), skeleton(other)) if min(len(one), len(other)) > 3 else 0.0
        return max(alike(one, other), 0.9 * bones, 0.8 * cosine)


def _count(row: NDArray[np.float32], text: str) -> None:
    for n in (2, 3):
        for start in range(len(text) - n + 1):
            row[crc32(text[start : start + n].encode()) % WIDTH] += 1


def alike(one: str, other: str) -> float:
    """1 less the edit distance (Levenshtein, 1966) as a share of the longer word."""
    return Levenshtein.normalized_similarity(one, other)
