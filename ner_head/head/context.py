"""The layers that see the whole sentence: BiLSTM and multi-head self-attention. Padding changes no result."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ner_head.head.dropout import Dropout


class Reversal(torch.autograd.Function):
    """A permutation of pieces that is its own inverse: (B, P, D), order (B, P) -> (B, P, D)."""

    @staticmethod
    def forward(ctx: Any, sequence: Tensor, order: Tensor) -> Tensor:
        """Put piece order[b, p] at (b, p)."""
        ctx.save_for_backward(order)
        return _permute(sequence, order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        """The same permutation. The gradient that torch derives adds single numbers into zeros, which is slow."""
        (order,) = ctx.saved_tensors
        return _permute(grad, order), None


def _permute(sequence: Tensor, order: Tensor) -> Tensor:
    n_sentences, n_pieces, _ = sequence.shape
    rows = order + n_pieces * torch.arange(n_sentences, device=order.device)[:, None]
    return sequence.flatten(0, 1).index_select(0, rows.flatten()).view_as(sequence)


def reverse_within(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the pieces of each sentence; padding stays at the end.

    Args:
        sequence: (B, P, D).
        lengths: (B,) int64.
    """
    positions = torch.arange(sequence.shape[1], device=sequence.device)
    flipped = lengths[:, None] - 1 - positions
    order = torch.where(flipped >= 0, flipped, positions)
    reversed_: Tensor = Reversal.apply(sequence, order)  # type: ignore[no-untyped-call]
    return reversed_


class BiLSTM(nn.Module):
    """Two LSTMs, one over sentences and one over reversed sentences.

    Padding comes last for both, so it cannot change the state at a real piece. The result is that of a packed sequence,
    which is slower (pytorch#149194).
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(width, hidden, batch_first=True)
        self.backwards = nn.LSTM(width, hidden, batch_first=True)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """(B, P, D), (B, P) bool -> (B, P, 2H)."""
        lengths = mask.sum(1)
        ahead, _ = self.forwards(sequence)
        behind, _ = self.backwards(reverse_within(sequence, lengths))
        return torch.cat([ahead, reverse_within(behind, lengths)], dim=-1)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: Dropout) -> Tensor:
    """softmax(q k^T / sqrt(d)) v, all (B, heads, P, d), with dropout of the softmax.

    Args:
        query: queries.
        key: keys.
        value: values.
        mask: (B, 1, 1, P) bool, which pieces may be attended to; None for all.
        dropout: of the attention weights.
    """
    rate = dropout.rate if dropout.training else 0.0
    if not dropout.training or query.device.type != "cpu":
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate)
    # on a CPU, torch has no fused kernel with dropout, and its dropout is slow (see `Dropout`)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
    if mask is not None:
        scores = scores + torch.where(mask, 0.0, -torch.inf)
    return dropout(scores.softmax(-1)) @ value  # type: ignore[no-any-return]


class SelfAttention(nn.Module):
    """Multi-head self-attention with residual and layer norm (Vaswani et al., 2017, section 3.2).

    As in the head of the paper, queries, keys and values have no bias, and the output projection has one.
    """

    def __init__(self, width: int, *, heads: int, key_size: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, heads * key_size, bias=False)
        self.key = nn.Linear(width, heads * key_size, bias=False)
        self.value = nn.Linear(width, heads * key_size, bias=False)
        self.output = nn.Linear(heads * key_size, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """(B, P, D), (B, P) bool -> (B, P, D); no piece attends to padding."""
        n_sentences, n_pieces, _ = sequence.shape

        def split(projected: Tensor) -> Tensor:
            return projected.view(n_sentences, n_pieces, self.heads, -1).transpose(1, 2)

        query, key, value = split(self.query(sequence)), split(self.key(sequence)), split(self.value(sequence))
        mixed = attend(query, key, value, mask[:, None, None, :], self.dropout)
        joined = mixed.transpose(1, 2).reshape(n_sentences, n_pieces, -1)
        normed: Tensor = self.norm(sequence + self.dropout(self.output(joined)))
        return normed
