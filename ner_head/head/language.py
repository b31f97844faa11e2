"""The classifier of the language of a sentence, with pooling (Howard & Ruder, 2018, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ner_head.head.dropout import Dropout


class LanguageClassifier(nn.Module):
    """[h_CLS ; max ; mean] -> ReLU -> language logits (Emelyanov & Artemova, 2019, eq. 2)."""

    def __init__(self, width: int, *, hidden: int, n_languages: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(3 * width, hidden)
        self.outer = nn.Linear(hidden, n_languages)
        self.dropout = Dropout(dropout)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """(B, P, D), (B, P) bool -> (B, G). Both poolings ignore padding."""
        real = mask[:, :, None]
        highest = torch.where(real, sequence, -torch.inf).amax(1)
        mean = torch.where(real, sequence, 0.0).sum(1) / real.sum(1)
        pooled = torch.cat([sequence[:, 0], highest, mean], dim=-1)
        logits: Tensor = self.outer(self.dropout(self.inner(self.dropout(pooled)).relu()))
        return logits
