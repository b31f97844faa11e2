"""Consequences of the rules of a CRF: the tags that a piece can have, and the lengths that have a legal path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_head.head.crf.types import Floats, LegalScores

Bools = NDArray[np.bool_]
LANES = 8  # float64 numbers in the widest vector register


def lanes(n_tags: int) -> int:
    """T rounded up to a multiple of `LANES`."""
    return -(-n_tags // LANES) * LANES


def _spread(links: Bools, seeds: Bools, n_pieces: int) -> Bools:
    """The tags that are exactly k steps from the seeds, (K, T) for k = 0, 1, ...

    The table ends early when a row repeats, as all further rows are then the same.
    """
    rows = [seeds]
    while len(rows) < n_pieces:
        row = links.T @ rows[-1]
        if (row == rows[-1]).all():
            break
        rows.append(row)
    return np.stack(rows)


class Rules:
    """Forbidden pairs, first and last tags, and tables that follow from them.

    Args:
        pairs: (T, T) [from, to], True for forbidden transitions.
        first: (T,), True for tags that no path starts with.
        last: (T,), True for tags that no path ends with.

    Attributes:
        reach: (K, T) bool, the tags that a legal prefix of k + 1 pieces can end with.
        coreach: (K, T) bool, the tags that a legal suffix of k + 1 pieces can start with.
        legal: (K,) bool, whether a sentence of k + 1 pieces has a legal path.
            All rows after the last are equal to it.
    """

    def __init__(self, pairs: Bools, first: Bools, last: Bools) -> None:
        self.pairs, self.first, self.last = (np.ascontiguousarray(rule, dtype=bool) for rule in (pairs, first, last))
        self.arrays = self.pairs, self.first, self.last
        self._penalties = tuple(np.where(rule, -np.inf, 0).astype(np.float32) for rule in (pairs, first, last))
        self._n_pieces = 0
        self._bounds: dict[tuple[int, str], tuple[NDArray[Any], NDArray[Any]]] = {}
        self.cover(len(self.first) + 1)  # the shortest legal path has at most T pieces

    def cover(self, n_pieces: int) -> None:
        """Extend the tables to sentences of this length. Tables that ended early, as those of tag sets do, stay."""
        if n_pieces <= self._n_pieces:
            return
        reach = _spread(~self.pairs, ~self.first, n_pieces)
        self.reach, self.coreach = reach, _spread(~self.pairs.T, ~self.last, n_pieces)
        self.legal: Bools = (reach & ~self.last).any(axis=1)
        settled = len(reach) < n_pieces and len(self.coreach) < n_pieces
        self._n_pieces = np.iinfo(np.int64).max if settled else n_pieces
        self._bounds = {}

    def bounds(self, width: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """`reach` and `coreach` as flat arrays of ones and zeros, with rows padded to `width`."""
        key = (width, dtype.str)
        if key not in self._bounds:
            room = ((0, 0), (0, width - len(self.first)))
            reach, coreach = (np.pad(rows, room).astype(dtype).reshape(-1) for rows in (self.reach, self.coreach))
            self._bounds[key] = reach, coreach
        return self._bounds[key]

    def legal_scores(self, transitions: Floats, start: Floats, end: Floats) -> LegalScores:
        """Copies of the parameters of a CRF, -inf where forbidden."""
        pairs, first, last = self._penalties
        return LegalScores(transitions + pairs, start + first, end + last)

    def most_paths(self, n_pieces: int, enough: int) -> int:
        """The greatest number of legal paths of a sentence of up to `n_pieces` pieces, clipped to [1, enough]."""
        if enough == 1:
            return 1
        ends = (~self.first).astype(np.float64)
        most = float(ends @ ~self.last)
        for _ in range(n_pieces - 1):
            if most >= enough or not ends.any():
                break
            ends = np.minimum(ends @ ~self.pairs, float(enough))
            most = max(most, float(ends @ ~self.last))
        return int(min(most, enough))
