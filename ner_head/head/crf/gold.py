"""The share of the gold paths in the log-likelihood and its gradient, as numba kernels."""

from __future__ import annotations

from typing import Any

import numpy as np


def add_gold(emissions: Any, tags: Any, lengths: Any, scores: Any, unary: Any, pair_counts: Any, total: Any) -> None:
    """Add the score of each gold path to `total`, (B,), and 1 per step to `unary` and `pair_counts`.

    `unary`, (B, P, T), and `pair_counts`, (B, T, T), can be empty: then they are left alone.
    """
    transitions, start, end = scores
    for b in range(lengths.size):
        length = lengths[b]
        score = np.float64(start[tags[b, 0]]) + np.float64(end[tags[b, length - 1]])
        for t in range(length):
            tag = tags[b, t]
            score += emissions[b, t, tag]
            if unary.size:
                unary[b, t, tag] += 1
            if t > 0:
                before = tags[b, t - 1]
                score += transitions[before, tag]
                if pair_counts.size:
                    pair_counts[b, before, tag] += 1
        total[b] += score


def sum_gradients(
    grad: Any, lengths: Any, unary: Any, pair_counts: Any, out: Any, pairs: Any, first: Any, last: Any
) -> None:
    """The gradient of sum(grad * log-likelihood) from the differences between gold and expected counts.

    Args:
        grad: (B,).
        lengths: (B,).
        unary: (B, P, T), difference of each tag at each piece.
        pair_counts: (B, T, T), difference of each transition.
        out: written, (B, P, T), gradient of the emissions.
        pairs: written, (T, T), gradient of the transitions.
        first: written, (T,), gradient of the start scores.
        last: written, (T,), gradient of the end scores.
    """
    n_sentences, _, n_tags = unary.shape
    for i in range(n_tags):
        first[i], last[i] = 0, 0
        for j in range(n_tags):
            pairs[i, j] = 0
    for b in range(n_sentences):
        weight, length = grad[b], lengths[b]
        values, result = unary[b].reshape(-1), out[b].reshape(-1)
        for i in range(length * n_tags):
            result[i] = weight * values[i]
        for i in range(length * n_tags, result.size):
            result[i] = 0
        counts, total = pair_counts[b].reshape(-1), pairs.reshape(-1)
        for i in range(n_tags * n_tags):
            total[i] += weight * counts[i]
        for i in range(n_tags):
            first[i] += result[i]
            last[i] += result[(length - 1) * n_tags + i]
