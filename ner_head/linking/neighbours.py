"""Nearest rows of a matrix, exactly for few rows, and within random parts of the space for many. Imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAF = 2048  # rows that are compared with each other at once
TREES = 3  # random divisions of the space, if there are more rows


def nearest(rows: NDArray[np.float32], k: int, *, seed: int = 0) -> set[tuple[int, int]]:
    """Pairs of a row and one of its k nearest rows, by the product of rows of length 1.

    More than `LEAF` rows are divided by random directions (Dasgupta & Freund, 2008), several times, so that the time
    grows with n log n, and the memory with n. Then some neighbours may be missed.

    Args:
        rows: (N, D).
        k: Number of neighbours.
        seed: Seed of the random directions.
    Returns:
        Pairs (i, j), i < j.
    """
    found: set[tuple[int, int]] = set()
    random = np.random.default_rng(seed)
    for _ in range(1 if len(rows) <= LEAF else TREES):
        for leaf in _leaves(rows, np.arange(len(rows)), random):
            found |= _within(rows, leaf, k)
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


def _within(rows: NDArray[np.float32], leaf: NDArray[np.int64], k: int) -> set[tuple[int, int]]:
    k = min(k, len(leaf) - 1)
    if k < 1:
        return set()
    products = rows[leaf] @ rows[leaf].T
    np.fill_diagonal(products, -np.inf)
    best = leaf[np.argpartition(-products, k - 1, axis=1)[:, :k]]
    first, second = np.repeat(leaf, k), best.ravel()
    return set(zip(np.minimum(first, second).tolist(), np.maximum(first, second).tolist(), strict=True))
