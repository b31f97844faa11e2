"""Vectors of whole words from what stands around them: PPMI of words and contexts, factorised (Levy & Goldberg, 2014).

A small vocabulary of pieces cuts names apart; what is known of a name is known of the whole word. `distil` teaches it
to the encoder, piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

WORD = re.compile(r"\w+|[^\w\s]")  # as BERT's own first cut, underscores aside
WINDOW = 5
CHUNK = 8_000_000


@dataclass(frozen=True)
class Vectors:
    """Words by falling frequency and their vectors, (N, K) float16 of length 1."""

    words: list[str]
    vectors: NDArray[np.float16]

    def save(self, directory: Path) -> None:
        np.save(directory / "vectors.npy", self.vectors)
        (directory / "words.txt").write_text("\n".join(self.words), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Vectors:
        """Read what `save` wrote."""
        words = (directory / "words.txt").read_text(encoding="utf-8").split("\n")
        return cls(words, np.load(directory / "vectors.npy"))


@dataclass(frozen=True)
class Numbered:
    """Running text as numbers: of words and of contexts (lower-cased words), -1 for what is rare, and of the line."""

    word: NDArray[np.int64]
    context: NDArray[np.int64]
    line: NDArray[np.int32]
    words: list[str]
    n_contexts: int


def train(lines: Iterable[str], *, size: int, most: int, contexts: int, least: int, seed: int) -> Vectors:
    """Vectors of the `most` commonest words that stand in the lines at least `least` times."""
    text = number(lines, most=most, contexts=contexts, least=least)
    return Vectors(text.words, factorise(ppmi(count_pairs(text)), size, seed=seed).astype(np.float16))


def number(lines: Iterable[str], *, most: int, contexts: int, least: int) -> Numbered:
    """Cut into words and number them by falling frequency."""
    index: dict[str, int] = {}
    stream = np.concatenate(list(_blocks(lines, index)))
    names = list(index)
    counts = np.bincount(stream[stream >= 0], minlength=len(names))
    words, kept = _ranks(counts, min(most, int((counts >= least).sum())))
    lower: dict[str, int] = {}
    of_word = np.array([lower.setdefault(name.lower(), len(lower)) for name in names])
    places, n_contexts = _ranks(np.bincount(of_word, weights=counts), contexts)
    gap = stream < 0
    return Numbered(
        np.where(gap, -1, words[stream]),
        np.where(gap, -1, places[of_word[stream]]),
        np.cumsum(gap, dtype=np.int32),
        [names[i] for i in np.argsort(-counts, kind="stable")[:kept]],
        n_contexts,
    )


def _blocks(lines: Iterable[str], index: dict[str, int]) -> Iterator[NDArray[np.int32]]:
    block: list[int] = []
    for line in lines:
        block += [index.setdefault(word, len(index)) for word in WORD.findall(line)]
        block.append(-1)
        if len(block) > 2_000_000:
            yield np.array(block, dtype=np.int32)
            block = []
    yield np.array(block, dtype=np.int32)


def _ranks(counts: NDArray[np.float64], most: int) -> tuple[NDArray[np.int64], int]:
    """Each item's rank by falling count, -1 beyond `most`; and how many have one."""
    ranks = np.full(len(counts), -1)
    chosen = np.argsort(-counts, kind="stable")[:most]
    ranks[chosen] = np.arange(len(chosen))
    return ranks, len(chosen)


def count_pairs(text: Numbered) -> sparse.csr_matrix:
    """(words, contexts): how often they stand within `WINDOW` words of one line, each weighted 1 / distance."""
    shape = (len(text.words), text.n_contexts)
    total, length = sparse.csr_matrix(shape, dtype=np.float32), len(text.word)
    for start in range(0, length, CHUNK):
        here = np.arange(start, min(length, start + CHUNK))
        for step in (s * d for d in range(1, WINDOW + 1) for s in (1, -1)):
            a = here[(here + step >= 0) & (here + step < length)]
            b = a + step
            good = (text.word[a] >= 0) & (text.context[b] >= 0) & (text.line[a] == text.line[b])
            keys, found = np.unique(text.word[a[good]] * shape[1] + text.context[b[good]], return_counts=True)
            part = (found.astype(np.float32) / abs(step), (keys // shape[1], keys % shape[1]))
            total = total + sparse.csr_matrix(part, shape=shape)
    return total


def ppmi(counts: sparse.csr_matrix, *, smoothing: float = 0.75, least: float = 0.4) -> sparse.csr_matrix:
    """max(0, log p(w, c) / (p(w) p'(c))), p' smoothed towards rare contexts; pairs below `least` are noise."""
    counts.data[counts.data < least] = 0
    counts.eliminate_zeros()
    rows, columns = np.asarray(counts.sum(1)).ravel(), np.asarray(counts.sum(0)).ravel() ** smoothing
    columns /= columns.sum()
    pairs = counts.tocoo()
    ratio = pairs.data / np.maximum(rows[pairs.row], 1e-9) / np.maximum(columns[pairs.col], 1e-12)
    values = np.log(np.maximum(ratio, 1)).astype(np.float32)
    result = sparse.csr_matrix((values, (pairs.row, pairs.col)), shape=counts.shape)
    result.eliminate_zeros()
    return result


def factorise(matrix: sparse.csr_matrix, size: int, *, seed: int, rounds: int = 4) -> NDArray[np.float32]:
    """U sqrt(S) of a truncated SVD by subspace iteration (Halko et al., 2011); each row of length 1."""
    width = min(size + 20, *matrix.shape)
    basis = np.random.default_rng(seed).standard_normal((matrix.shape[1], width)).astype(np.float32)
    transposed = matrix.T.tocsr()
    for _ in range(rounds):
        basis, _ = np.linalg.qr(transposed @ np.linalg.qr(matrix @ basis)[0])
    left, singular, _ = np.linalg.svd(matrix @ basis, full_matrices=False)
    vectors = left[:, :size] * np.sqrt(singular[:size])
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    normal: NDArray[np.float32] = vectors / np.maximum(length, 1e-9)
    return normal
