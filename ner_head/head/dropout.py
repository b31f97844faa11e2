"""Dropout (Srivastava et al., 2014) that is fast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 1 << 16


class Dropout(nn.Module):
    """Zero each unit with probability `rate` in training, and scale the others by 1 / (1 - rate).

    On a CPU, each unit takes 16 random bits of the default generator, so that `rate` is rounded to a multiple of
    1 / 65536. torch draws a Bernoulli variable per unit, which is slow. Other devices use the dropout of torch.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def extra_repr(self) -> str:
        """For `print(head)`."""
        return f"rate={self.rate}"

    def forward(self, values: Tensor) -> Tensor:
        """Any shape -> the same shape; the identity in evaluation mode."""
        if not self.training or not self.rate:
            return values
        if values.device.type != "cpu":
            return nn.functional.dropout(values, self.rate)
        words = torch.empty(-(-values.numel() // 4), dtype=torch.int64)
        words.random_(-(1 << 63), None)
        bits = words.view(torch.int16)[: values.numel()].view(values.shape)
        dropped = round(self.rate * LEVELS)
        scale = (bits >= dropped - LEVELS // 2).to(values.dtype).mul_(LEVELS / (LEVELS - dropped))
        return values * scale
