"""Batches of sentences of similar lengths, padded."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.base.errors import DataError
from ner_head.features.store.pieces import first_pieces, pad_rows
from ner_head.features.store.shard import Features

ALL = slice(None)
PieceChoice = Literal["all", "first"]
"""All word pieces of a sentence, or [CLS] and the first piece of each word."""


@dataclass(frozen=True, kw_only=True)
class Resident(Features):
    """Features of a sentence whose selected hidden states are rows of a tensor in memory (`preload`).

    Attributes:
        rows: (N, K, D) hidden states of many sentences; the last row is zeros, for padding.
        start: index of the sentence's first row. If [SEP] was selected, its row follows those of the pieces.
    """

    rows: Tensor
    start: int


@dataclass(frozen=True)
class ResidentRows:
    """Selected hidden states of many sentences in one tensor.

    Attributes:
        rows: (N, K, D); the last row is zeros, for padding.
        starts: index of the first row of each sentence, by its name.
    """

    rows: Tensor
    starts: dict[str, int]

    def attach(self, name: str, found: Features) -> Features:
        """The features of a sentence with its rows; unchanged if it has none."""
        start = self.starts.get(name)
        if start is None:
            return found
        return Resident(**vars(found), rows=self.rows, start=start)


@dataclass(frozen=True)
class FeatureBatch:
    """B sentences, padded to the longest.

    Attributes:
        hidden: (B, P, K, D) float16 or float32, as stored; zeros as padding.
        mask: (B, P) bool, True for word pieces, which come first, and False for padding.
        separator: states of [SEP] in the highest of the K layers, (B, D); (B, 0) if they are not needed.
    """

    hidden: Tensor
    mask: Tensor
    separator: Tensor

    def to(self, device: torch.device) -> FeatureBatch:
        """The same batch on a device."""
        return FeatureBatch(self.hidden.to(device), self.mask.to(device), self.separator.to(device))


def keep_pieces(sentence: Features, pieces: PieceChoice) -> Features:
    """The features of the chosen pieces of a sentence; hidden states of other pieces are not read."""
    if pieces == "all":
        return sentence
    kept = np.concatenate([[0], first_pieces(sentence.word_of_piece)])
    if isinstance(sentence, Resident):
        return replace(sentence, piece_ids=sentence.piece_ids[kept], word_of_piece=sentence.word_of_piece[kept])
    hidden = np.asarray(sentence.hidden)[kept]
    return replace(
        sentence, hidden=hidden, piece_ids=sentence.piece_ids[kept], word_of_piece=sentence.word_of_piece[kept]
    )


def pad_features(
    sentences: Sequence[Features], layers: range | None = None, *, separator: bool = False
) -> FeatureBatch:
    """A batch of sentences.

    Sentences that are all resident are gathered on the device of their rows. Others are copied from the memory map.

    Args:
        sentences: their features.
        layers: numbers of the layers of the encoder, K; None for all that are stored.
        separator: whether to read the states of [SEP] too.
    Raises:
        DataError: not all of the layers are stored, or [SEP] is not.
    """
    resident = [sentence for sentence in sentences if isinstance(sentence, Resident)]
    if len(resident) == len(sentences):
        return _gather(resident, separator)
    lengths = np.array([len(s.piece_ids) for s in sentences])
    chosen = [_states(sentence, layers) for sentence in sentences]
    hidden = np.empty((len(sentences), int(lengths.max()), *chosen[0].shape[1:]), dtype=chosen[0].dtype)
    for row, states in zip(hidden, chosen, strict=True):
        row[: len(states)], row[len(states) :] = states, 0
    mask = np.arange(hidden.shape[1]) < lengths[:, None]
    last = [separator_states(sentence, layers)[-1] for sentence in sentences] if separator else []
    joined = np.stack(last) if separator else np.empty((len(sentences), 0), dtype=hidden.dtype)
    return FeatureBatch(torch.from_numpy(hidden), torch.from_numpy(mask), torch.from_numpy(joined))


def _states(sentence: Features, layers: range | None) -> NDArray[np.floating]:
    if isinstance(sentence, Resident):  # its rows have the chosen layers only
        return sentence.rows[sentence.start : sentence.start + len(sentence.piece_ids)].cpu().numpy()
    return piece_states(sentence, layers)


def piece_states(sentence: Features, layers: range | None) -> NDArray[np.floating]:
    """The states of the pieces in some layers, (P, K, D).

    Raises:
        DataError: not all of the layers are stored.
    """
    return np.asarray(sentence.hidden)[:, ALL if layers is None else sentence.places(layers)]


def separator_states(sentence: Features, layers: range | None) -> NDArray[np.floating]:
    """The states of [SEP] in some layers, (K, D).

    Raises:
        DataError: they are not stored.
    """
    if sentence.separator is None:
        raise DataError("the features have no [SEP], which tuned layers need; run `dvc repro extract`")
    return np.asarray(sentence.separator)[ALL if layers is None else sentence.places(layers)]


def _gather(sentences: Sequence[Resident], separator: bool) -> FeatureBatch:
    rows = sentences[0].rows
    index, mask = pad_rows([np.arange(s.start, s.start + len(s.piece_ids)) for s in sentences], fill=len(rows) - 1)
    ends = torch.tensor([s.start + len(s.piece_ids) for s in sentences])
    last = rows[_moved(ends, rows.device), -1] if separator else rows.new_empty(len(sentences), 0)
    return FeatureBatch(rows[_moved(torch.from_numpy(index), rows.device)], torch.from_numpy(mask), last)


def _moved(index: Tensor, device: torch.device) -> Tensor:
    """An index on a device, copied without waiting for a GPU."""
    return index.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else index


def length_batches(lengths: Sequence[int], budget: int) -> list[range]:
    """Cut *sorted* `lengths` into batches of a padded size (longest x count) of at most `budget`, or of one item."""
    batches, start = [], 0
    for index, length in enumerate(lengths):
        if index > start and length * (index + 1 - start) > budget:
            batches.append(range(start, index))
            start = index
    return [*batches, range(start, len(lengths))] if lengths else []


def shuffled_batches(lengths: Sequence[int], batch_size: int, *, seed: int, bucket: int = 64) -> list[list[int]]:
    """Random batches of similar lengths for one epoch; every index is in one batch.

    The indices are shuffled and cut into buckets of about `bucket` batches. Each bucket is sorted by length and cut
    into batches. Then all batches are shuffled.
    """
    rng = random.Random(seed)
    order = list(range(len(lengths)))
    rng.shuffle(order)
    n_buckets = max(1, round(len(order) / (batch_size * bucket)))
    size = -(-len(order) // (n_buckets * batch_size)) * batch_size  # whole batches
    batches = []
    for start in range(0, len(order), size):
        part = sorted(order[start : start + size], key=lambda i: lengths[i])
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return batches
