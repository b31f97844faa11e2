"""Learned combinations of the layers of the encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ner_head.head.params import MixKind

CACHED = 1 << 17  # float32 numbers of a block, which fits the cache of a core and is read twice


class Blend(torch.autograd.Function):
    """sum_i w_i b_i: hidden (N, L, D) of any float and weights (L, D) or (L, 1), float32 -> (N, D) float32.

    Hidden states are converted to float32 block by block, in both directions, and saved as they are. A float32 copy of
    a batch of 12 x 768 does not fit the caches of a CPU, and would double the memory for the gradient on a GPU.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weights: Tensor) -> Tensor:
        """(N, L, D), (L, D) or (L, 1) -> (N, D)."""
        ctx.save_for_backward(hidden, weights)
        mixed = torch.empty(len(hidden), hidden.shape[2], dtype=weights.dtype, device=hidden.device)
        for rows in _blocks(hidden):
            torch.sum(hidden[rows].to(weights.dtype) * weights, 1, out=mixed[rows])
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        """(N, D) -> the gradients of the hidden states, if needed, and of the weights."""
        hidden, weights = ctx.saved_tensors
        of_hidden = (grad[:, None] * weights).to(hidden.dtype) if ctx.needs_input_grad[0] else None
        total = torch.zeros(hidden.shape[1:], dtype=weights.dtype, device=hidden.device)
        for rows in _blocks(hidden):
            total += (hidden[rows].to(weights.dtype) * grad[rows, None]).sum(0)
        return of_hidden, total.sum_to_size(weights.shape)


def _blocks(hidden: Tensor) -> list[slice]:
    n_pieces, n_layers, width = hidden.shape
    step = max(1, CACHED // (n_layers * width)) if hidden.device.type == "cpu" else max(1, n_pieces)
    return [slice(start, start + step) for start in range(0, n_pieces, step)]


class LayerMix(nn.Module, ABC):
    """Base class of the parts that make one vector per piece from L layers.

    A new mix is a subclass here, a line in `MIXES` and a name in `params.MixKind`. Its weights can depend on the hidden
    states, and its output can have another width than D. A fresh mix should give the mean of the layers.

    Attributes:
        width: width of the output, E.
    """

    width: int

    @abstractmethod
    def forward(self, hidden: Tensor) -> Tensor:
        """Mix the layers.

        Args:
            hidden: cached states, (B, P, L, D), float16 or float32.
        Returns:
            (B, P, E), float32.
        """

    @abstractmethod
    def layer_weights(self) -> Tensor:
        """The weight of each layer, (L,) or (L, D), for reports. Weights that depend on the input are averaged."""


class WeightedSum(LayerMix):
    """o = gamma * sum_i s_i b_i over layers i (Emelyanov & Artemova, 2019, eq. 1; after Peters et al., 2018).

    Args:
        n_layers: number of layers, L.
        width: width of the hidden states, D.
        softmax: whether s sums to 1, as in ELMo.
        per_dimension: whether each dimension has its own s and gamma, as in the code of the paper.
    """

    def __init__(self, n_layers: int, width: int, *, softmax: bool = False, per_dimension: bool = False) -> None:
        super().__init__()
        self.width, self.softmax = width, softmax
        columns = width if per_dimension else 1
        self.weights = nn.Parameter(torch.full((n_layers, columns), 0.0 if softmax else 1 / n_layers))
        self.gamma = nn.Parameter(torch.ones(columns))

    def layer_weights(self) -> Tensor:
        """s, (L,), or (L, D) with weights per dimension."""
        return self._weights().squeeze(-1)

    def _weights(self) -> Tensor:
        return self.weights.softmax(0) if self.softmax else self.weights

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, P, L, D) -> (B, P, D), float32."""
        mixed: Tensor = Blend.apply(hidden.flatten(0, 1), self._weights())  # type: ignore[no-untyped-call]
        return self.gamma * mixed.view(*hidden.shape[:2], -1)


class LayerConcat(LayerMix):
    """o = W [b_1 ; ... ; b_L] + c: the layers side by side (Devlin et al., 2019, table 7), projected to D dimensions.

    Args:
        n_layers: number of layers, L.
        width: width of the hidden states, D.
    """

    def __init__(self, n_layers: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.projection = nn.Linear(n_layers * width, width)
        with torch.no_grad():  # the mean of the layers
            self.projection.weight.copy_(torch.eye(width).repeat(1, n_layers) / n_layers)
            self.projection.bias.zero_()

    def layer_weights(self) -> Tensor:
        """The share of each layer in W by its Frobenius norm, (L,); they sum to 1."""
        norms = torch.linalg.vector_norm(self.projection.weight.view(self.width, -1, self.width), dim=(0, 2))
        shares: Tensor = norms / norms.sum()
        return shares

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, P, L, D) -> (B, P, D)."""
        projected: Tensor = self.projection(hidden.flatten(2).to(self.projection.weight.dtype))
        return projected


MIXES: dict[MixKind, Callable[[int, int], LayerMix]] = {
    "softmax": partial(WeightedSum, softmax=True),
    "free": WeightedSum,
    "per_dimension": partial(WeightedSum, per_dimension=True),
    "concat": LayerConcat,
}
"""`head.mix` -> the class for L layers of width D. A test checks that it has every name of `MixKind`."""


def layer_mix(n_layers: int, width: int, *, kind: MixKind) -> LayerMix:
    """The mix for L layers of width D."""
    return MIXES[kind](n_layers, width)
