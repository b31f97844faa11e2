"""Embeddings to start from: positive pointwise mutual information, factorised (Levy & Goldberg, 2014).

The few hours of training a small machine can afford go into context instead of into what piece resembles what.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WINDOW = 4


def count_pairs(streams: list[NDArray[np.uint16]], size: int, *, chunk: int = 4_000_000) -> Tensor:
    """Symmetric co-occurrence counts (V, V), weighted 1/distance within `WINDOW` pieces."""
    counts = np.zeros(size * size, dtype=np.float32)
    for ids in streams:
        for start in range(0, len(ids), chunk):
            part = np.asarray(ids[start : start + chunk + WINDOW], dtype=np.int64)
            for distance in range(1, WINDOW + 1):
                keys, found = np.unique(part[:-distance] * size + part[distance:], return_counts=True)
                counts[keys] += found.astype(np.float32) / distance
    matrix = torch.from_numpy(counts).view(size, size)
    return matrix.add_(matrix.T.clone())


def ppmi_(counts: Tensor, *, smoothing: float = 0.75, ignore: tuple[int, ...] = ()) -> Tensor:
    """max(0, log p(a, b) / (p(a) p'(b))) in place; p' is smoothed towards rare contexts."""
    for index in ignore:
        counts[index] = 0
        counts[:, index] = 0
    rows = counts.sum(1)
    contexts = rows**smoothing
    contexts /= contexts.sum()
    counts /= rows.clamp_min(1)[:, None]
    counts /= contexts.clamp_min(1e-12)
    return counts.clamp_min_(1).log_()


def embeddings(
    streams: list[NDArray[np.uint16]], size: int, width: int, *, seed: int, ignore: tuple[int, ...]
) -> Tensor:
    """(V, width) vectors, each row of length 0.05 * sqrt(width): about BERT's own scale after a while."""
    matrix = ppmi_(count_pairs(streams, size), ignore=ignore)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        left, singular, _ = torch.svd_lowrank(matrix, q=width + 32, niter=4)
    vectors = left[:, :width] * singular[:width].sqrt()
    empty = vectors.norm(dim=1) < 1e-6
    vectors[empty] = torch.randn(int(empty.sum()), width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(vectors, dim=1) * 0.05 * width**0.5
