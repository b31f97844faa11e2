"""Vectors of whole words from what stands around them: PPMI of words and contexts, factorised (Levy & Goldberg, 2014).

A small vocabulary of pieces cuts names apart; what is known of a name is known of the whole word. `distil` teaches it
to the encoder, piece by piece. Contexts are stems that the four languages share (`ner_head.corpus.stems`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.corpus.stems import plain

WORD = re.compile(r"\w+|[^\w\s]")  # as BERT's own first cut, underscores aside
WINDOW = 2
STEM = 5  # letters
CHUNK = 8_000_000
NEVER = -1


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
    """Running text as numbers, (T,): of words, and of contexts; `NEVER` for what is rare and at the end of a line.

    `languages` says how often each of the N words stands in each of G languages, (N, G).
    """

    word: NDArray[np.int32]
    context: NDArray[np.int32]
    line: NDArray[np.int32]
    words: list[str]
    languages: NDArray[np.float64]
    n_contexts: int


def train(lines: Iterable[tuple[int, str]], *, size: int, most: int, contexts: int, least: int, seed: int) -> Vectors:
    """Vectors of the `most` commonest words that stand in the lines at least `least` times.

    Args:
        lines: the index of a line's language, and the line.
    """
    text = number(lines, most=most, contexts=contexts, least=least)
    return Vectors(text.words, factorise(ppmi(count_pairs(text), text.languages), size, seed=seed))


def number(lines: Iterable[tuple[int, str]], *, most: int, contexts: int, least: int) -> Numbered:
    """Cut into words and number them by falling frequency."""
    index: dict[str, int] = {}
    blocks = list(_blocks(lines, index))
    stream = np.concatenate([block for _, block in blocks])
    names = list(index)
    by_language = np.zeros((len(names), 1 + max(language for language, _ in blocks)))
    for language, block in blocks:
        by_language[:, language] += np.bincount(block[block >= 0], minlength=len(names))
    counts = by_language.sum(1)
    words, chosen = _ranks(counts, min(most, int((counts >= least).sum())))
    stems: dict[str, int] = {}
    of_word = np.array([stems.setdefault(plain(name)[:STEM], len(stems)) for name in names])
    places, found = _ranks(np.bincount(of_word, weights=counts), contexts)
    return Numbered(
        np.append(words, NEVER)[stream],
        np.append(places[of_word], NEVER)[stream],
        np.cumsum(stream < 0, dtype=np.int32),
        [names[i] for i in chosen],
        by_language[chosen],
        len(found),
    )


def _blocks(lines: Iterable[tuple[int, str]], index: dict[str, int]) -> Iterator[tuple[int, NDArray[np.int32]]]:
    block: list[int] = []
    last = 0
    for language, line in lines:
        if block and (language != last or len(block) > 2_000_000):
            yield last, np.array(block, dtype=np.int32)
            block = []
        last = language
        block += [index.setdefault(word, len(index)) for word in WORD.findall(line)]
        block.append(NEVER)
    yield last, np.array(block, dtype=np.int32)


def _ranks(counts: NDArray[np.float64], most: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Each item's rank by falling count, `NEVER` beyond `most`; and the items by rank."""
    ranks = np.full(len(counts), NEVER, dtype=np.int32)
    chosen = np.argsort(-counts, kind="stable")[:most]
    ranks[chosen] = np.arange(len(chosen))
    return ranks, chosen


def count_pairs(text: Numbered) -> sparse.csr_matrix:
    """(words, contexts): how often they stand within `WINDOW` words of one line, each weighted 1 / distance."""
    shape = (len(text.words), text.n_contexts)
    total, length = sparse.csr_matrix(shape, dtype=np.float32), len(text.word)
    for start in range(0, length, CHUNK):
        here = np.arange(start, min(length, start + CHUNK))
        for step in (s * d for d in range(1, WINDOW + 1) for s in (1, -1)):
            a = here[(here + step >= 0) & (here + step < length)]
            a = a[text.word[a] >= 0]
            a = a[(text.context[a + step] >= 0) & (text.line[a] == text.line[a + step])]
            keys, found = np.unique(
                text.word[a].astype(np.int64) * shape[1] + text.context[a + step], return_counts=True
            )
            part = (found.astype(np.float32) / abs(step), (keys // shape[1], keys % shape[1]))
            total = total + sparse.csr_matrix(part, shape=shape)
    return total


def ppmi(
    counts: sparse.csr_matrix, languages: NDArray[np.float64], *, smoothing: float = 0.75, least: float = 0.4
) -> sparse.csr_matrix:
    """max(0, log p(c | w) / p'(c | languages of w)), p' smoothed towards rare contexts.

    A word is compared with what its own languages lead one to expect, so that vectors do not say which they are.
    Pairs below `least` are noise.
    """
    counts.data[counts.data < least] = 0
    counts.eliminate_zeros()
    shares = languages / np.maximum(languages.sum(1, keepdims=True), 1e-9)
    expected = np.asarray(counts.T @ shares) ** smoothing  # (contexts, G)
    expected /= np.maximum(expected.sum(0), 1e-12)
    rows = np.maximum(np.asarray(counts.sum(1)).ravel(), 1e-9)
    pairs = counts.tocoo()
    chance = np.zeros(len(pairs.data))
    for language in range(languages.shape[1]):
        chance += shares[pairs.row, language] * expected[pairs.col, language]
    ratio = pairs.data / rows[pairs.row] / np.maximum(chance, 1e-12)
    values = np.log(np.maximum(ratio, 1)).astype(np.float32)
    result = sparse.csr_matrix((values, (pairs.row, pairs.col)), shape=counts.shape)
    result.eliminate_zeros()
    return result


def factorise(matrix: sparse.csr_matrix, size: int, *, seed: int, rounds: int = 2) -> NDArray[np.float16]:
    """U sqrt(S) of a truncated SVD by subspace iteration (Halko et al., 2011); each row of length 1."""
    width = min(size + 20, *matrix.shape)
    basis = torch.randn(matrix.shape[1], width, generator=torch.Generator().manual_seed(seed))
    there, back = _torch(matrix), _torch(matrix.T.tocsr())
    for _ in range(rounds):
        basis = _orthogonal(back @ _orthogonal(there @ basis))
    image = there @ basis
    squares, turn = torch.linalg.eigh(image.double().T @ image.double())
    best = squares.argsort(descending=True)[:size]
    # image @ turn = U S; dividing by the root of S leaves U sqrt(S)
    vectors = image @ turn[:, best].float() / squares[best].clamp_min(1e-12).float() ** 0.25
    return torch.nn.functional.normalize(vectors, dim=1).half().numpy()


def _torch(matrix: sparse.csr_matrix) -> Tensor:
    """The same matrix where products with dense ones are fast."""
    indices = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its CSR layout a beta
        return torch.sparse_csr_tensor(*indices, torch.from_numpy(matrix.data), matrix.shape)


def _orthogonal(columns: Tensor) -> Tensor:
    """An orthogonal basis of the columns' span: twice Cholesky QR (Fukaya et al., 2014), many times faster than QR."""
    for _ in range(2):
        square = columns.double().T @ columns.double()
        square += torch.eye(len(square)) * 1e-9 * square.trace()
        columns = torch.linalg.solve_triangular(
            torch.linalg.cholesky(square).float().T, columns, upper=True, left=False
        )
    return columns
