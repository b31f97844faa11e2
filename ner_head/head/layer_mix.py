"""One vector per piece from the encoder's layers: a learned blend, or a projection of all of them."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ner_head.errors import UsageError
from ner_head.head.params import MixKind

CACHED = 1 << 17  # float32 numbers of a block that stays in a core's cache while it is read twice


def layer_slice(layers: str, n_layers: int) -> slice:
    """Which of an encoder's L layers are meant: `all`, `last`, `last-8`, one of 1 to L, or a range such as `1-4`.

    `last-8` are the last 8, or all where there are fewer.

    Raises:
        UsageError: layers that the encoder does not have.
    """
    if layers.startswith("last-"):
        return slice(max(0, n_layers - int(layers.removeprefix("last-"))), n_layers)
    first, _, last = {"all": f"1-{n_layers}", "last": str(n_layers)}.get(layers, layers).partition("-")
    start, stop = int(first) - 1, int(last or first)
    if not 0 <= start < stop <= n_layers:
        raise UsageError(f"head.layers: {layers}, but the encoder has layers 1 to {n_layers}")
    return slice(start, stop)


class Blend(torch.autograd.Function):
    """sum_i w_i b_i: hidden (N, L, D) of any float and weights (L, D) or (L, 1), float32 -> (N, D) float32.

    Hidden states go to float32 block by block, once in each direction, and are kept as they are stored: a float32
    copy of a batch of 12 x 768 does not fit a CPU's caches, and would double what a GPU keeps for the gradient.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weights: Tensor) -> Tensor:
        """See the class."""
        ctx.save_for_backward(hidden, weights)
        mixed = torch.empty(len(hidden), hidden.shape[2], dtype=weights.dtype, device=hidden.device)
        for rows in _blocks(hidden):
            torch.sum(hidden[rows].to(weights.dtype) * weights, 1, out=mixed[rows])
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        """(N, D) -> of hidden, where it is asked for, and of the weights."""
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


class LayerMix(nn.Module):
    """o = gamma * sum_i s_i b_i over layers i (Emelyanov & Artemova, 2019, eq. 1; after Peters et al., 2018).

    `softmax`: s sums to 1 and gamma is a scalar, as in ELMo. `free`: the same without the softmax.
    `per_dimension`: a free weight per layer and dimension and a gamma per dimension, as in the paper's code.
    """

    def __init__(self, n_layers: int, width: int, *, kind: Literal["softmax", "free", "per_dimension"]) -> None:
        super().__init__()
        self.kind = kind
        columns = width if kind == "per_dimension" else 1
        start = torch.zeros if kind == "softmax" else lambda *size: torch.full(size, 1 / n_layers)
        self.weights = nn.Parameter(start(n_layers, columns))
        self.gamma = nn.Parameter(torch.ones(columns))

    def layer_weights(self) -> Tensor:
        """s, (L,) for the scalar kinds or (L, D)."""
        return self._weights().squeeze(-1)

    def _weights(self) -> Tensor:
        return self.weights.softmax(0) if self.kind == "softmax" else self.weights

    def forward(self, hidden: Tensor) -> Tensor:
        """Blend the layers.

        Args:
            hidden: cached states, (B, P, L, D), float16 or float32.
        Returns:
            (B, P, D), float32.
        """
        mixed: Tensor = Blend.apply(hidden.flatten(0, 1), self._weights())  # type: ignore[no-untyped-call]
        return self.gamma * mixed.view(*hidden.shape[:2], -1)


class LayerConcat(nn.Module):
    """o = W [b_1 ; ... ; b_L] + c: the layers side by side (Devlin et al., 2019, table 7), projected to D dimensions.

    A fresh one gives the mean of the layers.
    """

    def __init__(self, n_layers: int, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(n_layers * width, width)
        with torch.no_grad():
            self.projection.weight.copy_(torch.eye(width).repeat(1, n_layers) / n_layers)
            self.projection.bias.zero_()

    def layer_weights(self) -> Tensor:
        """The share of each layer in W by Frobenius norm, (L,); they sum to 1."""
        width = self.projection.out_features
        norms = torch.linalg.vector_norm(self.projection.weight.view(width, -1, width), dim=(0, 2))
        shares: Tensor = norms / norms.sum()
        return shares

    def forward(self, hidden: Tensor) -> Tensor:
        """Cached states (B, P, L, D), float16 or float32 -> (B, P, D)."""
        projected: Tensor = self.projection(hidden.flatten(2).to(self.projection.weight.dtype))
        return projected


def layer_mix(n_layers: int, width: int, *, kind: MixKind) -> LayerMix | LayerConcat:
    """The part of a head that makes one vector of D dimensions from L layers."""
    return LayerConcat(n_layers, width) if kind == "concat" else LayerMix(n_layers, width, kind=kind)
