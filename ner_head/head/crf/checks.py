"""Checks of masks and gold tags. The numba engine compiles these functions; the torch engine runs them as Python."""

from __future__ import annotations

from typing import Any

MESSAGES = (
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


def check_mask(mask: Any, legal: Any, lengths: Any) -> Any:
    """Fill `lengths`, (B,), from a mask, (B, P).

    Returns:
        (index into MESSAGES, row, piece) of the first error, or zeros.
    """
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


def check_gold(tags: Any, lengths: Any, rules: Any) -> Any:
    """Check gold tags, (B, P), against the rules: pairs (T, T), first (T,), last (T,).

    Returns:
        (index into MESSAGES, row, piece) of the first error, or zeros.
    """
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
