"""The n best paths of a linear-chain CRF with their true probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Lengths = NDArray[np.int64]


class Hypothesis(NamedTuple):
    """One path: its tags, its score and exp(score - log Z)."""

    tags: list[int]
    score: float
    probability: float


def best_paths(
    emissions: NDArray[Any], lengths: Lengths, scores: Sequence[NDArray[Any]], log_z: Floats, *, n: int, native: Any
) -> list[list[Hypothesis]]:
    """The n best paths of each sentence (see `crf_search`).

    Args:
        emissions: (B, P, T).
        lengths: (B,).
        scores: pairs (T, T) [from, to], start (T,), end (T,), -inf where forbidden.
        log_z: (B,).
        n: at most as many as one of the sentences has.
        native: the module of kernels, or None to search in plain Python.
    """
    n_sentences, n_pieces, n_tags = emissions.shape
    emissions = np.ascontiguousarray(emissions)
    paths = np.zeros((n_sentences, n, n_pieces), np.uint8 if n_tags <= 256 else np.int64)
    best, found = np.zeros((n_sentences, n)), np.zeros(n_sentences, np.int64)
    search, width = _search(n_tags, native is not None)
    tables = _score_tables(*scores, width=width)

    def work(low: int, high: int) -> None:
        search(emissions, lengths, tables, n, low, high, paths, best, found)

    if native:
        native.spread(work, lengths * n)
    else:
        work(0, n_sentences)
    return _hypotheses(paths, best, found, lengths, log_z)


def _search(n_tags: int, jit: bool) -> tuple[Any, int]:
    """The kernel and its lanes. Numba takes half a second to import: only those who decode wait for it."""
    from ner_head.head import crf_kernels, crf_search

    width = -(-n_tags // crf_kernels.LANES) * crf_kernels.LANES
    return crf_search.search(n_tags, width, jit=jit), width


def _score_tables(
    transitions: NDArray[Any], start: NDArray[Any], end: NDArray[Any], *, width: int
) -> tuple[Floats, ...]:
    """Pairs [from, to]; pairs [to, from] and end; start: float64, rows of `width` lanes, flat, -inf behind T."""
    n_tags = len(start)
    tables = np.full((2 * n_tags + 2, width), -np.inf)
    tables[:n_tags, :n_tags], tables[n_tags:-2, :n_tags] = transitions, transitions.T
    tables[-2, :n_tags], tables[-1, :n_tags] = end, start
    return tables[:n_tags].reshape(-1), tables[n_tags:-1].reshape(-1), tables[-1]


def _hypotheses(
    paths: NDArray[Any], scores: Floats, found: Lengths, lengths: Lengths, log_z: Floats
) -> list[list[Hypothesis]]:
    """The kernel's arrays, (B, n, P), (B, n), (B,), as lists."""
    _, n, n_pieces = paths.shape
    # list() of bytes gives ints twice as fast as tolist() of an array
    raw: Any = paths.tobytes() if paths.dtype == np.uint8 else paths.reshape(-1).tolist()
    # rounding can put the probability of a certain path a little over 1
    probabilities = np.minimum(np.exp(scores - log_z[:, None]), 1.0).tolist()
    make, result = tuple.__new__, []  # what Hypothesis(...) comes to, without the detour
    columns = zip(lengths.tolist(), found.tolist(), scores.tolist(), probabilities, strict=True)
    for first, (length, count, row, chances) in enumerate(columns):
        starts = range(first * n * n_pieces, (first * n + count) * n_pieces, n_pieces)
        result.append(
            [
                make(Hypothesis, (list(raw[start : start + length]), row[k], chances[k]))
                for k, start in enumerate(starts)
            ]
        )
    return result
