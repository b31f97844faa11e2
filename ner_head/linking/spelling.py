"""How alike two words are in spelling. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ner_head.linking.keys import skeleton

WIDTH = 256  # buckets of the letter n-grams
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
        self._known: dict[tuple[str, str], float] = {}

    def similarity(self, one: str, other: str) -> float:
        """1 for equal words, to 0."""
        if one == other:
            return 1.0
        pair = (one, other) if one < other else (other, one)
        found = self._known.get(pair)
        if found is None:
            found = self._known[pair] = self._compare(*pair)
        return found

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
    before = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted)))
        before = row
    return 1 - before[-1] / max(len(one), len(other), 1)
