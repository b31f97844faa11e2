"""The n best paths of a batch with their probabilities."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_head.head.crf.rules import lanes
from ner_head.head.crf.types import EmissionBatch, Floats, Hypothesis, LegalScores, Lengths

_HYPOTHESIS: Any = partial(tuple.__new__, Hypothesis)  # the same as Hypothesis(*values), in half of the time
Spread = Callable[[Callable[[int, int], Any], Lengths], None]
"""Calls work(low, high) over all rows of a batch, given their numbers of pieces."""


def best_paths(
    batch: EmissionBatch, tables: tuple[Floats, Floats, Floats], log_z: Floats, *, n: int, spread: Spread | None = None
) -> list[list[Hypothesis]]:
    """Search the n best paths of each sentence (see `search`).

    Args:
        batch: on the host.
        tables: the result of `search_tables`.
        log_z: (B,).
        n: at most the number of legal paths of one of the sentences.
        spread: runs the compiled kernel over the rows. None runs the same code as plain Python, or for n = 1 the
            Viterbi algorithm in numpy.
    """
    emissions, lengths = np.ascontiguousarray(batch.emissions.numpy()), batch.lengths
    n_sentences, n_pieces, n_tags = emissions.shape
    paths = np.zeros((n_sentences, n, n_pieces), np.uint8 if n_tags <= 256 else np.int64)
    scores, found = np.zeros((n_sentences, n)), np.zeros(n_sentences, np.int64)
    search = _viterbi if n == 1 and not spread else _search(n_tags, jit=spread is not None)

    def work(low: int, high: int) -> None:
        search(emissions, lengths, tables, n, low, high, paths, scores, found)

    if spread:
        spread(work, lengths * (3 + n) // 4)  # each further path takes a fourth of the time of the best one
    else:
        work(0, n_sentences)
    return _hypotheses(paths, scores, found, lengths, log_z)


def _viterbi(
    emissions: NDArray[Any], lengths: Lengths, tables: tuple[Floats, Floats, Floats], n: int, low: int, high: int,
    paths: NDArray[Any], scores: Floats, found: Lengths,
) -> None:  # fmt: skip
    """The kernel of `search` for n = 1: the same sums, and the same order among paths of equal score."""
    n_tags, n_lanes = emissions.shape[2], tables[2].size
    pairs = tables[0].reshape(n_tags, n_lanes)[:, :n_tags]
    steps = tables[1].reshape(n_tags + 1, n_lanes)[:, :n_tags]
    for b in range(low, high):
        values = emissions[b, : lengths[b]].astype(np.float64)
        best = np.empty_like(values)
        best[0] = tables[2][:n_tags] + values[0]
        for t in range(1, len(values)):
            best[t] = (best[t - 1][:, None] + pairs).max(0) + values[t]
        tag = n_tags  # the end
        scores[b, 0] = (best[-1] + steps[tag]).max()
        found[b] = scores[b, 0] > -np.inf
        for t in range(len(values) - 1, -1, -1):
            tag = int((best[t] + steps[tag]).argmax())
            paths[b, 0, t] = tag


def _search(n_tags: int, *, jit: bool) -> Any:
    """The kernel. Imported here because numba takes half a second to import, and training does not search."""
    from ner_head.head.crf import search

    return search.search(n_tags, lanes(n_tags), jit=jit)


def search_tables(legal: LegalScores) -> tuple[Floats, Floats, Floats]:
    """The scores in the layout of `search`: float64, rows padded with -inf to V = `lanes(T)` numbers.

    Returns:
        transitions [from, to], (T V,); transitions [to, from] with the end scores as a last row, ((T + 1) V,);
        start scores, (V,).
    """
    n_tags = len(legal.start)
    tables = np.full((2 * n_tags + 2, lanes(n_tags)), -np.inf)
    tables[:n_tags, :n_tags], tables[n_tags:-2, :n_tags] = legal.transitions, legal.transitions.T
    tables[-2, :n_tags], tables[-1, :n_tags] = legal.end, legal.start
    return tables[:n_tags].reshape(-1), tables[n_tags:-1].reshape(-1), tables[-1]


def _hypotheses(
    paths: NDArray[Any], scores: Floats, found: Lengths, lengths: Lengths, log_z: Floats
) -> list[list[Hypothesis]]:
    """The output of the kernel, (B, n, P), (B, n), (B,), as lists."""
    # rounding can put the probability of a certain path a little above 1
    chances = np.minimum(np.exp(scores - log_z[:, None]), 1.0)
    if paths.shape[1] == 1:
        # for small batches this takes longer than the search: the calls below are the fastest in CPython
        raw: Any = paths.tobytes() if paths.dtype == np.uint8 else paths.reshape(-1).tolist()
        places = zip(range(0, paths.size, paths.shape[2]), lengths.tolist(), strict=True)
        best = [[*raw[at : at + length]] for at, length in places]
        columns = zip(best, scores[:, 0].tolist(), chances[:, 0].tolist(), strict=True)
        return [[hypothesis] for hypothesis in map(_HYPOTHESIS, columns)]
    rows = zip(paths, found.tolist(), lengths.tolist(), scores.tolist(), chances.tolist(), strict=True)
    return [
        list(map(_HYPOTHESIS, zip(tags[:count, :length].tolist(), *sums, strict=False)))  # `sums` has n > count columns
        for tags, count, length, *sums in rows
    ]
