"""Embeddings of hashed word features (forms, shapes, affixes, stems), concatenated to the mixed layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class WordFeatures:
    """The word features of a batch.

    Attributes:
        ids: (B, W, K) int64, K hashed features per word; 0 = no feature.
        of_piece: (B, P) int64, the word of each piece; -1 for [CLS] and padding.
    """

    ids: Tensor
    of_piece: Tensor

    def to(self, device: torch.device) -> WordFeatures:
        """A copy on a device."""
        return WordFeatures(self.ids.to(device), self.of_piece.to(device))


class WordEmbeddings(nn.Module):
    """The sum of the feature vectors of a word, for each of its pieces.

    Features are hashed into `buckets` rows (Weinberger et al., 2009). In training, each feature is dropped with
    probability `dropout`, so that the head does not rely on the form of a name alone.
    """

    def __init__(self, buckets: int, size: int, *, dropout: float) -> None:
        super().__init__()
        self.buckets, self.dropout = buckets, dropout
        self.table = nn.EmbeddingBag(buckets + 1, size, mode="sum", padding_idx=0)
        with torch.no_grad():
            self.table.weight.mul_(0.1)

    def rows(self, ids: Tensor) -> Tensor:
        """Hashes -> rows of the table, the same shape; row 0 = no feature."""
        return torch.where(ids > 0, 1 + ids % self.buckets, 0)

    def forward(self, words: WordFeatures) -> Tensor:
        """(B, W, K) ids and (B, P) words of pieces -> (B, P, E); zeros for [CLS]."""
        ids = self.rows(words.ids)
        if self.training and self.dropout:
            ids = ids * (torch.rand(ids.shape, device=ids.device) >= self.dropout)
        vectors = self.table(ids.flatten(0, 1)).unflatten(0, ids.shape[:2])
        whole = torch.nn.functional.pad(vectors, (0, 0, 1, 0))  # row 0 is for pieces without a word
        index = (words.of_piece + 1)[:, :, None].expand(-1, -1, vectors.shape[2])
        return whole.gather(1, index)
