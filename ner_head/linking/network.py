"""The network that says with which probability two names are one entity."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PairNetwork(nn.Module):
    """One hidden layer over standardised features of a pair.

    Args:
        n_features: Number of features, F.
        hidden: Units of the hidden layer.
    """

    def __init__(self, n_features: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.hidden = nn.Linear(n_features, hidden)
        self.score = nn.Linear(hidden, 1)

    mean: Tensor
    scale: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Logits of pairs: (pairs, F) to (pairs,)."""
        scores: Tensor = self.score(torch.tanh(self.hidden((features - self.mean) / self.scale))).squeeze(1)
        return scores
