"""Embeddings to start from: what pieces add up to. The little compute there is then goes into context."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

CHUNK = 50_000
COMMON = 1_000  # words beyond this rank count less and less, as 1 / sqrt(rank)


def cut(words: list[str], tokenizer: Tokenizer) -> list[list[int]]:
    """The pieces of each word."""
    cut_: list[list[int]] = []
    for start in range(0, len(words), CHUNK):
        encodings = tokenizer.encode_batch_fast(words[start : start + CHUNK], add_special_tokens=False)
        cut_ += [encoding.ids for encoding in encodings]
    return cut_


def solve(pieces: list[list[int]], vectors: NDArray[np.float32], size: int, *, rounds: int = 30) -> NDArray[np.float32]:
    """Piece vectors (V, K) whose sums come nearest to the words' vectors (N, K): ridge regression.

    Args:
        pieces: of each word, words by falling frequency.
        vectors: the words'.
        size: V.
        rounds: of conjugate gradients; it is only where training starts.
    """
    columns = np.concatenate([np.array(ids, dtype=np.int64) for ids in pieces])
    bounds = np.cumsum([0, *(len(ids) for ids in pieces)])
    sums = sparse.csr_matrix((np.ones(len(columns), dtype=np.float32), columns, bounds), shape=(len(pieces), size))
    weights = 1 / np.sqrt(np.arange(len(pieces)) + COMMON)
    weighted = sparse.diags((weights / weights.mean()).astype(np.float32)) @ sums
    gram = (sums.T @ weighted + sparse.identity(size, dtype=np.float32)).tocsr()
    found = np.zeros((size, vectors.shape[1]), dtype=np.float32)
    rest = np.asarray(weighted.T @ vectors, dtype=np.float32)
    direction, power = rest.copy(), (rest * rest).sum(0)
    for _ in range(rounds):
        image = gram @ direction
        step = power / np.maximum((direction * image).sum(0), 1e-12)
        found += step * direction
        rest -= step * image
        power, before = (rest * rest).sum(0), power
        direction = rest + direction * (power / np.maximum(before, 1e-20))
    return found


def embeddings(found: NDArray[np.float32], width: int, *, seed: int) -> Tensor:
    """(V, width): the vectors at about BERT's own scale, and a little noise in all dimensions."""
    vectors = torch.from_numpy(found)[:, :width]
    noise = torch.randn(len(vectors), width, generator=torch.Generator().manual_seed(seed)) * 0.02
    scale = 0.05 * width**0.5 / vectors.norm(dim=1).mean().clamp_min(1e-9)
    noise[:, : vectors.shape[1]] += vectors * scale
    return noise
