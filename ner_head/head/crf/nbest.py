"""The n best paths of a linear-chain CRF with their true probabilities."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ner_head.head.crf.rules import lanes

Floats = NDArray[np.float64]
Lengths = NDArray[np.int64]
Tables = tuple[Floats, Floats, Floats]


class Hypothesis(NamedTuple):
    """One path: its tags, its score and exp(score - log Z)."""

    tags: list[int]
    score: float
    probability: float


_HYPOTHESIS: Any = partial(tuple.__new__, Hypothesis)  # Hypothesis(*values), without the detour


def best_paths(
    emissions: NDArray[Any], lengths: Lengths, tables: Tables, log_z: Floats, *, n: int, native: Any
) -> list[list[Hypothesis]]:
    """The n best paths of each sentence (see `crf_search`).

    Args:
        emissions: (B, P, T).
        lengths: (B,).
        tables: what `score_tables` makes of a CRF's scores.
        log_z: (B,).
        n: at most as many as one of the sentences has.
        native: the module of kernels, or None to search in plain Python.
    """
    n_sentences, n_pieces, n_tags = emissions.shape
    emissions = np.ascontiguousarray(emissions)
    paths = np.zeros((n_sentences, n, n_pieces), np.uint8 if n_tags <= 256 else np.int64)
    best, found = np.zeros((n_sentences, n)), np.zeros(n_sentences, np.int64)
    search = _search(n_tags, native is not None)

    def work(low: int, high: int) -> None:
        search(emissions, lengths, tables, n, low, high, paths, best, found)

    if native:
        native.spread(work, lengths * (3 + n) // 4)  # a further path takes a fourth of what the best one takes
    else:
        work(0, n_sentences)
    return _hypotheses(paths, best, found, lengths, log_z)


def _search(n_tags: int, jit: bool) -> Any:
    """The kernel. Numba takes half a second to import: only those who decode wait for it."""
    from ner_head.head.crf import search as crf_search

    return crf_search.search(n_tags, lanes(n_tags), jit=jit)


def score_tables(transitions: NDArray[Any], start: NDArray[Any], end: NDArray[Any]) -> Tables:
    """Pairs [from, to]; pairs [to, from] and end; start: float64, rows of whole vectors, flat, -inf behind T.

    Args:
        transitions: (T, T) [from, to], as the others -inf where forbidden.
        start: (T,).
        end: (T,).
    """
    n_tags = len(start)
    tables = np.full((2 * n_tags + 2, lanes(n_tags)), -np.inf)
    tables[:n_tags, :n_tags], tables[n_tags:-2, :n_tags] = transitions, transitions.T
    tables[-2, :n_tags], tables[-1, :n_tags] = end, start
    return tables[:n_tags].reshape(-1), tables[n_tags:-1].reshape(-1), tables[-1]


def _hypotheses(
    paths: NDArray[Any], scores: Floats, found: Lengths, lengths: Lengths, log_z: Floats
) -> list[list[Hypothesis]]:
    """The kernel's arrays, (B, n, P), (B, n), (B,), as lists."""
    # rounding can put the probability of a certain path a little over 1
    chances = np.minimum(np.exp(scores - log_z[:, None]), 1.0)
    if paths.shape[1] == 1:
        raw: Any = paths.tobytes() if paths.dtype == np.uint8 else paths.reshape(-1).tolist()
        places = zip(range(0, paths.size, paths.shape[2]), lengths.tolist(), strict=True)
        best = [[*raw[at : at + length]] for at, length in places]  # what is quickest in CPython, as all that follows
        columns = zip(best, scores[:, 0].tolist(), chances[:, 0].tolist(), strict=True)
        return [[hypothesis] for hypothesis in map(_HYPOTHESIS, columns)]
    rows = zip(paths, found.tolist(), lengths.tolist(), scores.tolist(), chances.tolist(), strict=True)
    return [
        list(map(_HYPOTHESIS, zip(tags[:count, :length].tolist(), *sums, strict=False)))  # `sums` go on behind `count`
        for tags, count, length, *sums in rows
    ]
