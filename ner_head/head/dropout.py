"""Dropout (Srivastava et al., 2014) whose random bits are cheap on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 1 << 16


class Dropout(nn.Module):
    """Zero each unit with probability `rate` while training, and scale the others by 1 / (1 - rate).

    torch draws a bernoulli variable a unit, which on a CPU takes as long as a fair part of the LSTM; here each unit
    costs 16 bits of the same generator, so that `rate` is rounded to 1 / 65536. Other devices take torch's own.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def extra_repr(self) -> str:
        """For `print(head)`."""
        return f"rate={self.rate}"

    def forward(self, values: Tensor) -> Tensor:
        """The same shape; unchanged in evaluation."""
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
