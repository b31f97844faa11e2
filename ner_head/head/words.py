"""Hashed features of words, joined to the mixed layers: what a tagger with hand-made features sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class WordFeatures:
    """The words of a batch.

    Attributes:
        ids: (B, W, K) int64, K hashed features a word; 0 = none.
        of_piece: (B, P) int64, the word of each piece; -1 for [CLS] and pads.
    """

    ids: Tensor
    of_piece: Tensor

    def to(self, device: torch.device) -> WordFeatures:
        """The same words on a device."""
        return WordFeatures(self.ids.to(device), self.of_piece.to(device))


class WordEmbeddings(nn.Module):
    """The sum of a word's feature vectors, for each of its pieces.

    Features share `buckets` rows by hash (Weinberger et al., 2009). In training each feature is left out with
    probability `dropout`, so that no name is learnt by its form alone.
    """

    def __init__(self, buckets: int, size: int, *, dropout: float) -> None:
        super().__init__()
        self.buckets, self.dropout = buckets, dropout
        self.table = nn.EmbeddingBag(buckets + 1, size, mode="sum", padding_idx=0)
        with torch.no_grad():
            self.table.weight.mul_(0.1)

    def rows(self, ids: Tensor) -> Tensor:
        """Hashes -> rows of the table, the same shape; 0 for none."""
        return torch.where(ids > 0, 1 + ids % self.buckets, 0)

    def forward(self, words: WordFeatures) -> Tensor:
        """(B, W, K) ids and (B, P) words of pieces -> (B, P, E); zeros for [CLS]."""
        ids = self.rows(words.ids)
        if self.training and self.dropout:
            ids = ids * (torch.rand(ids.shape, device=ids.device) >= self.dropout)
        vectors = self.table(ids.flatten(0, 1)).unflatten(0, ids.shape[:2])
        whole = torch.nn.functional.pad(vectors, (0, 0, 1, 0))  # row 0: no word
        index = (words.of_piece + 1)[:, :, None].expand(-1, -1, vectors.shape[2])
        return whole.gather(1, index)
