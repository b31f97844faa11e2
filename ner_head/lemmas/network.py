"""The head that chooses an edit for each word of a mention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn

from ner_head.lemmas.items import N_EVIDENCE, EditTable, Evidence, MentionWord, hashed
from ner_head.lemmas.params import LemmaParams

SCALE = 3.0  # the mean of some twenty embeddings is small


@dataclass(frozen=True)
class WordBatch:
    """Words of mentions as tensors.

    Attributes:
        ids: Hashed features of all words, one after the other.
        offsets: (B,), where those of each word begin.
        vectors: (B, D).
        edits: (B, E), the numbers of the possible edits, 0 for padding.
        evidence: (B, E, N_EVIDENCE).
        mask: (B, E) bool.
    """

    ids: Tensor
    offsets: Tensor
    vectors: Tensor
    edits: Tensor
    evidence: Tensor
    mask: Tensor


class EditHead(nn.Module):
    """Scores of the edits of a word, from hashed features of the mention and the cached vector of the word.

    Args:
        params: Sizes.
        n_edits: Number of edits, S.
        width: Width of the encoder, D.
    """

    def __init__(self, params: LemmaParams, n_edits: int, width: int) -> None:
        super().__init__()
        self.features = nn.EmbeddingBag(params.buckets, params.width, mode="mean")
        nn.init.normal_(self.features.weight, std=0.1)
        self.projection = nn.Linear(width, params.width)
        self.hidden = nn.Linear(2 * params.width, params.hidden)
        self.scores = nn.Linear(params.hidden, n_edits)
        self.evidence = nn.Linear(N_EVIDENCE, 1, bias=False)
        nn.init.zeros_(self.evidence.weight)
        self.dropout = nn.Dropout(params.dropout)

    def forward(self, batch: WordBatch) -> Tensor:
        """Log-probabilities of the possible edits, (B, E); -inf for padding."""
        vectors = nn.functional.layer_norm(batch.vectors, batch.vectors.shape[-1:])
        features = SCALE * self.features(batch.ids, batch.offsets)
        both = torch.cat([features, torch.tanh(self.projection(self.dropout(vectors)))], 1)
        hidden = torch.tanh(self.hidden(self.dropout(both)))
        scores = self.scores(self.dropout(hidden)).gather(1, batch.edits) + self.evidence(batch.evidence).squeeze(2)
        return torch.where(batch.mask, scores, -torch.inf).log_softmax(1)


@dataclass(frozen=True)
class WordInputs:
    """The inputs of the head for some words, which batches are made of.

    Attributes:
        ids: Hashed features of each word.
        edits: Numbers of the possible edits of each word.
        evidence: (edits, N_EVIDENCE), of each word.
        vectors: (N, D) float16.
    """

    ids: list[list[int]]
    edits: list[list[int]]
    evidence: list[np.ndarray]
    vectors: np.ndarray

    @classmethod
    def of(cls, items: Sequence[MentionWord], table: EditTable, evidence: Evidence, buckets: int) -> WordInputs:
        """Prepare words."""
        edits = [table.possible(item.language, item.word) for item in items]
        rows = [
            evidence.of_edits(item, [table.edits[i] for i in numbers])
            for item, numbers in zip(items, edits, strict=True)
        ]
        return cls([hashed(item, buckets) for item in items], edits, rows, np.stack([item.vector[0] for item in items]))

    def batch(self, chosen: Sequence[int], kept: Callable[[list[int]], list[int]] = list) -> WordBatch:
        """Some words as tensors.

        Args:
            chosen: Numbers of the words.
            kept: Leaves out some of the hashed features of a word.
        """
        ids = [kept(self.ids[i]) for i in chosen]
        lengths = list(map(len, ids))
        longest = max(len(self.edits[i]) for i in chosen)
        edits = np.zeros((len(chosen), longest), dtype=np.int64)
        evidence = np.zeros((len(chosen), longest, N_EVIDENCE), dtype=np.float32)
        mask = np.zeros((len(chosen), longest), dtype=bool)
        for row, i in enumerate(chosen):
            n = len(self.edits[i])
            edits[row, :n], evidence[row, :n], mask[row, :n] = self.edits[i], self.evidence[i], True
        return WordBatch(
            torch.tensor([number for row in ids for number in row]),
            torch.tensor([0, *accumulate(lengths)][:-1]),
            torch.from_numpy(self.vectors[list(chosen)].astype(np.float32)),
            torch.from_numpy(edits),
            torch.from_numpy(evidence),
            torch.from_numpy(mask),
        )
