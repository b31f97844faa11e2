"""Ragged sentences -> padded tensors of similar lengths."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ner_head.features.shard import Features

ALL = slice(None)


@dataclass(frozen=True)
class FeatureBatch:
    """B sentences, padded to the longest.

    Attributes:
        hidden: (B, P, K, D) float16 or float32, as the store gives; zeros where there is no piece.
        mask: (B, P) bool, a left-aligned run of True for each sentence's pieces.
    """

    hidden: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> FeatureBatch:
        """The same batch on a device."""
        return FeatureBatch(self.hidden.to(device), self.mask.to(device))


def keep_pieces(sentence: Features, pieces: Literal["all", "first"]) -> Features:
    """A sentence with all of its pieces, or with [CLS] and the first piece of each word; the others are not read."""
    if pieces == "all":
        return sentence
    kept = np.flatnonzero(np.diff(sentence.word_of_piece, prepend=-2))
    return Features(sentence.hidden[kept], sentence.piece_ids[kept], sentence.word_of_piece[kept])


def pad_features(sentences: Sequence[Features], layers: slice = ALL) -> FeatureBatch:
    """Copy sentences, those of the L layers that are wanted, out of the memory map into one padded array."""
    lengths = np.array([len(s.piece_ids) for s in sentences])
    chosen = [sentence.hidden[:, layers] for sentence in sentences]
    hidden = np.zeros((len(sentences), int(lengths.max()), *chosen[0].shape[1:]), dtype=chosen[0].dtype)
    for row, states in enumerate(chosen):
        hidden[row, : len(states)] = states
    mask = np.arange(hidden.shape[1]) < lengths[:, None]
    return FeatureBatch(torch.from_numpy(hidden), torch.from_numpy(mask))


def length_batches(lengths: Sequence[int], budget: int) -> list[range]:
    """Cut *sorted* `lengths` into runs whose padded size (longest x count) is at most `budget`, or one item."""
    batches, start = [], 0
    for index, length in enumerate(lengths):
        if index > start and length * (index + 1 - start) > budget:
            batches.append(range(start, index))
            start = index
    return [*batches, range(start, len(lengths))] if lengths else []


def shuffled_batches(lengths: Sequence[int], batch_size: int, *, seed: int, bucket: int = 32) -> list[list[int]]:
    """One epoch: every index once, in random batches of similar lengths.

    Indices are shuffled, sorted by length inside buckets of `bucket` batches, and the batches shuffled again.
    """
    rng = random.Random(seed)
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches = []
    for start in range(0, len(order), batch_size * bucket):
        part = sorted(order[start : start + batch_size * bucket], key=lambda i: lengths[i])
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return batches
