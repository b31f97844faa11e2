"""What a batch's gold paths and masks need, as numba kernels: checks, scores, and the gradient of the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

PROBLEMS = (
    "",
    "sentence {row} has no pieces: its mask is all False; leave it out of the batch",
    "the mask of sentence {row} has a gap before piece {piece}; real pieces must be a run from the left",
    "no legal path has {piece} pieces, as sentence {row} does: its rules forbid all of them",
    "tag {tag} at piece {piece} of sentence {row} is not in 0..{last_tag}",
    "the gold path of sentence {row} breaks the rules: tag {tag} cannot be first",
    "the gold path of sentence {row} breaks the rules: tag {tag} at piece {piece} cannot follow tag {before}",
    "the gold path of sentence {row} breaks the rules: tag {tag} cannot be last",
)
EMPTY, GAP, NO_PATH, OUTSIDE, FIRST, PAIR, LAST = range(1, 8)


def measure(mask: Any, legal: Any, lengths: Any) -> Any:
    """Fill `lengths` from a mask, (B, P); the first problem as (number in PROBLEMS, row, piece), or zeros."""
    for b in range(mask.shape[0]):
        length = 0
        while length < mask.shape[1] and mask[b, length]:
            length += 1
        for t in range(length, mask.shape[1]):
            if mask[b, t]:
                return GAP, b, t
        if length == 0:
            return EMPTY, b, 0
        if not legal[min(length, legal.size) - 1]:
            return NO_PATH, b, length
        lengths[b] = length
    return 0, 0, 0


def check(tags: Any, lengths: Any, rules: Any) -> Any:
    """The first gold tag that is none or breaks the rules, as (number in PROBLEMS, row, piece), or zeros."""
    n_tags = rules[1].size
    for b in range(lengths.size):
        for t in range(lengths[b]):
            tag = tags[b, t]
            if not 0 <= tag < n_tags:
                return OUTSIDE, b, t
            if t == 0 and rules[1][tag]:
                return FIRST, b, t
            if t > 0 and rules[0][tags[b, t - 1], tag]:
                return PAIR, b, t
            if t + 1 == lengths[b] and rules[2][tag]:
                return LAST, b, t
    return 0, 0, 0


def add_gold(emissions: Any, tags: Any, lengths: Any, scores: Any, unary: Any, pair_counts: Any, total: Any) -> None:
    """Add the score of each gold path to `total`, and 1 at each of its steps to `unary` and `pair_counts`, if there."""
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


def weigh(grad: Any, lengths: Any, unary: Any, pair_counts: Any, out: Any, pairs: Any, first: Any, last: Any) -> None:
    """The gradient of sum(grad * log-likelihood): emissions (B, P, T), pairs (T, T), first and last (T,)."""
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
