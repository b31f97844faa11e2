"""A learned blend of the encoder's layers."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

MixKind = Literal["softmax", "free", "per_dimension"]


class LayerMix(nn.Module):
    """o = gamma * sum_i s_i b_i over layers i (Emelyanov & Artemova, 2019, eq. 1; after Peters et al., 2018).

    `softmax`: s sums to 1 and gamma is a scalar, as in ELMo. `free`: the same without the softmax.
    `per_dimension`: a free weight per layer and dimension and a gamma per dimension, as in the paper's code.
    """

    def __init__(self, n_layers: int, width: int, *, kind: MixKind) -> None:
        super().__init__()
        self.kind = kind
        columns = width if kind == "per_dimension" else 1
        start = torch.zeros if kind == "softmax" else lambda *size: torch.full(size, 1 / n_layers)
        self.weights = nn.Parameter(start(n_layers, columns))
        self.gamma = nn.Parameter(torch.ones(columns))

    def layer_weights(self) -> Tensor:
        """s, (L,) for the scalar kinds or (L, D)."""
        weights = self.weights.softmax(0) if self.kind == "softmax" else self.weights
        return weights.squeeze(-1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Blend the layers.

        Args:
            hidden: cached states, (B, P, L, D), float16 or float32.
        Returns:
            (B, P, D), float32.
        """
        weights = self.layer_weights()
        # float16 halves the cache; mixing upcasts to float32
        equation = "bpld,ld->bpd" if self.kind == "per_dimension" else "bpld,l->bpd"
        return self.gamma * torch.einsum(equation, hidden.float(), weights)
