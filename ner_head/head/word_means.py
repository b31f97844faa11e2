"""One vector per word from those of its pieces."""

from __future__ import annotations

import torch
from torch import Tensor


def word_means(sequence: Tensor, mask: Tensor, first_pieces: Tensor, words: Tensor) -> Tensor:
    """The first piece, [CLS], as it is, then the mean over the pieces of each word.

    Args:
        sequence: (B, P, D), [CLS] and the pieces of W words.
        mask: (B, P) bool, left-aligned: real pieces.
        first_pieces: (B, W) int64, where each word begins, ascending; anything where there is no word.
        words: (B, W) bool, left-aligned: real words.
    Returns:
        (B, 1 + W, D), zeros where there is no word.
    """
    n_rows = 1 + first_pieces.shape[1]
    begins = torch.zeros_like(mask, dtype=torch.int64).scatter_add_(1, first_pieces, words.long())
    rows = torch.arange(n_rows, device=mask.device)[:, None]
    members = ((begins.cumsum(1)[:, None] == rows) & mask[:, None]).to(sequence.dtype)  # (B, 1 + W, P)
    # a product, because torch adds up scattered rows in no fixed order on a GPU
    return members / members.sum(2, keepdim=True).clamp(min=1) @ sequence
