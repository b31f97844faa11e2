"""What the rules of a CRF allow: which tags a piece can have, which lengths have a path, which golds are legal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
LANES = 8  # float64 numbers of the widest vectors


def lanes(n_tags: int) -> int:
    """T rounded up to whole vectors."""
    return -(-n_tags // LANES) * LANES


def _spread(links: Bools, seeds: Bools, n_pieces: int) -> Bools:
    """Tags within k steps of the seeds, exactly k: (K, T) for k = 0.., cut when it repeats: the last row goes on."""
    rows = [seeds]
    while len(rows) < n_pieces:
        row = links.T @ rows[-1]
        if (row == rows[-1]).all():
            break
        rows.append(row)
    return np.stack(rows)


class Rules:
    """Forbidden pairs (T, T), first and last tags (T,), and what follows from them for up to `n_pieces`.

    `reach` and `coreach`, (K, T) bool: tags that a legal prefix of k + 1 pieces can end in, or a suffix begin with;
    rows behind the last are equal to it. `legal`, (K,) bool: whether a sentence of k + 1 pieces has a path at all.
    """

    def __init__(self, pairs: Bools, first: Bools, last: Bools) -> None:
        self.pairs, self.first, self.last = (np.ascontiguousarray(rule, dtype=bool) for rule in (pairs, first, last))
        self._penalties = tuple(np.where(rule, -np.inf, 0).astype(np.float32) for rule in (pairs, first, last))
        self._n_pieces = 0
        self._bounds: dict[tuple[int, str], tuple[NDArray[Any], NDArray[Any]]] = {}
        self.cover(len(self.first) + 1)  # a shortest path has at most T pieces

    def cover(self, n_pieces: int) -> None:
        """Extend the tables to sentences of this length; a no-op for rules that settle, as those of tags do."""
        if n_pieces <= self._n_pieces:
            return
        reach = _spread(~self.pairs, ~self.first, n_pieces)
        self.reach, self.coreach = reach, _spread(~self.pairs.T, ~self.last, n_pieces)
        self.legal: Bools = (reach & ~self.last).any(axis=1)
        settled = len(reach) < n_pieces and len(self.coreach) < n_pieces
        self._n_pieces = np.iinfo(np.int64).max if settled else n_pieces
        self._bounds = {}

    def bounds(self, width: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """`reach` and `coreach` as ones and zeros, flat, their rows padded to `width`."""
        key = (width, dtype.str)
        if key not in self._bounds:
            room = ((0, 0), (0, width - len(self.first)))
            reach, coreach = (np.pad(rows, room).astype(dtype).reshape(-1) for rows in (self.reach, self.coreach))
            self._bounds[key] = reach, coreach
        return self._bounds[key]

    def legal_scores(
        self, transitions: NDArray[Any], start: NDArray[Any], end: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Copies of a CRF's scores, -inf where forbidden."""
        pairs, first, last = self._penalties
        return transitions + pairs, start + first, end + last

    def most_paths(self, n_pieces: int, enough: int) -> int:
        """The greatest number of legal paths that a sentence of up to n_pieces has, from 1 to `enough`."""
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
