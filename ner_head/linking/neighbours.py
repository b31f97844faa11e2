"""Nearest rows of a matrix, exactly for few rows, and within random parts of the space for many. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAF = 2048  # rows that are compared with each other at once
TREES = 3  # random divisions of the space, if there are more rows


Pairs = NDArray[np.int64]
"""(P, 2) numbers, the smaller first; sorted, and each pair once."""


def nearest(rows: NDArray[np.float32], k: int, *, least: float = -np.inf, seed: int = 0) -> Pairs:
    """Pairs of a row and one of its k nearest rows, by the product of rows of length 1.

    More than `LEAF` rows are divided by random directions (Dasgupta & Freund, 2008), several times, so that the time
    grows with n log n, and the memory with n. Then some neighbours may be missed.

    Args:
        rows: (N, D).
        k: Number of neighbours.
        least: Least product of a pair.
        seed: Seed of the random directions.
    Returns:
        The pairs.
    """
    found = list[Pairs]()
    random = np.random.default_rng(seed)
    for _ in range(1 if len(rows) <= LEAF else TREES):
        for leaf in _leaves(rows, np.arange(len(rows)), random):
            found.append(_within(rows, leaf, k, least))
    return distinct(found, len(rows))


def distinct(parts: Sequence[Pairs], n: int) -> Pairs:
    """The distinct pairs of some arrays of pairs of numbers below n. Pairs of a number with itself are left out."""
    both = np.concatenate(parts) if parts else np.zeros((0, 2), dtype=np.int64)
    codes = np.unique(both.min(1) * n + both.max(1))
    first, second = np.divmod(codes, max(n, 1))
    found: Pairs = np.stack([first, second], 1)[first != second]
    return found


def _leaves(
    rows: NDArray[np.float32], members: NDArray[np.int64], random: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Divide rows at the median of a random direction, again and again."""
    todo, leaves = [members], []
    while todo:
        part = todo.pop()
        if len(part) <= LEAF:
            leaves.append(part)
            continue
        direction = np.asarray(random.standard_normal(rows.shape[1]), dtype=np.float32)
        order = np.argsort(rows[part] @ direction, kind="stable")
        todo += [part[order[: len(part) // 2]], part[order[len(part) // 2 :]]]
    return leaves


def _within(rows: NDArray[np.float32], leaf: NDArray[np.int64], k: int, least: float) -> Pairs:
    k = min(k, len(leaf) - 1)
    if k < 1:
        return np.zeros((0, 2), dtype=np.int64)
    products = rows[leaf] @ rows[leaf].T
    np.fill_diagonal(products, -np.inf)
    best = np.argpartition(-products, k - 1, axis=1)[:, :k]
    near = np.take_along_axis(products, best, axis=1) >= least
    return np.stack([np.repeat(leaf, near.sum(1)), leaf[best[near]]], 1)
