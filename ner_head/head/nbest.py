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
    from ner_head.head.crf_kernels import LANES  # these take numba, half a second: only those who decode wait for it
    from ner_head.head.crf_search import search as compile_search

    n_sentences, n_pieces, n_tags = emissions.shape
    paths = np.zeros((n_sentences, n, n_pieces), np.uint8 if n_tags <= 256 else np.int64)
    best, found = np.zeros((n_sentences, n)), np.zeros(n_sentences, np.int64)
    width = -(-n_tags // LANES) * LANES
    tables = _score_tables(*scores, width=width)
    search = compile_search(n_tags, width, jit=native is not None)

    def work(low: int, high: int) -> None:
        search(emissions, lengths, tables, n, low, high, paths, best, found)

    if native:
        native.spread(work, lengths * n)
    else:
        work(0, n_sentences)
    return _hypotheses(paths, best, found, lengths, log_z)


def _score_tables(
    transitions: NDArray[Any], start: NDArray[Any], end: NDArray[Any], *, width: int
) -> tuple[Floats, ...]:
    """Pairs [from, to], pairs [to, from], start, end: float64, rows of `width` lanes, flat, -inf behind T."""
    n_tags = len(start)
    pairs, steps = np.full((n_tags, width), -np.inf), np.full((n_tags, width), -np.inf)
    first, last = np.full(width, -np.inf), np.full(width, -np.inf)
    pairs[:, :n_tags], steps[:, :n_tags] = transitions, transitions.T
    first[:n_tags], last[:n_tags] = start, end
    return pairs.reshape(-1), steps.reshape(-1), first, last


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
    for b, (length, count, row, chances) in enumerate(
        zip(lengths.tolist(), found.tolist(), scores.tolist(), probabilities, strict=True)
    ):
        starts = range(b * n * n_pieces, (b * n + count) * n_pieces, n_pieces)
        tags = [list(raw[start : start + length]) for start in starts]
        result.append([make(Hypothesis, found_path) for found_path in zip(tags, row, chances, strict=False)])
    return result
