"""Which pieces go through the encoder together: windows over long sentences, and neighbours as context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ner_head.features.store.spec import Context


@dataclass(frozen=True)
class Window:
    """Pieces [start, end) go through the encoder together; [keep_start, keep_end) of them are kept."""

    start: int
    end: int
    keep_start: int
    keep_end: int


def windows(n_pieces: int, capacity: int) -> list[Window]:
    """Cover [0, n_pieces) with windows of at most `capacity`, half overlapping.

    Each piece is kept from the window where it is farthest from a cut edge, so every kept piece has at least
    about capacity / 4 pieces of context on both sides, where the sentence has them.
    """
    if n_pieces <= capacity:
        return [Window(0, n_pieces, 0, n_pieces)]
    stride = max(1, capacity // 2)
    starts = [*range(0, n_pieces - capacity, stride), n_pieces - capacity]
    cuts = [0, *((after + before + capacity) // 2 for before, after in pairwise(starts)), n_pieces]
    return [Window(start, start + capacity, *kept) for start, kept in zip(starts, pairwise(cuts), strict=True)]


@dataclass(frozen=True)
class Kept:
    """Rows [start, end) of a pass are pieces `target`, `target` + 1 ... of a sentence; its [CLS] is piece 0."""

    sentence: int
    start: int
    end: int
    target: int


@dataclass
class Pass:
    """What one row of a batch holds: `body` (P,) int32 goes between [CLS] and [SEP]; `kept` says what for."""

    body: NDArray[np.int32]
    kept: list[Kept] = field(default_factory=list)

    def __len__(self) -> int:
        """Pieces, [CLS] and [SEP] included."""
        return len(self.body) + 2


def plan_passes(sentences: Sequence[Sequence[NDArray[np.int32]]], *, context: Context, capacity: int) -> list[Pass]:
    """The passes for some documents, shortest first; ties in the order of the sentences.

    Args:
        sentences: documents of sentences of piece ids, each (P,) with [CLS] first.
        context: `sentence`: nothing else in the window; `document`: as much of the sentence's document as fits,
            half before and half behind, where there is that much (Schweter and Akbik, FLERT, 2020).
        capacity: pieces that fit between [CLS] and [SEP].
    """
    passes: list[Pass] = []
    number = 0
    for document in sentences:
        bodies = [ids[1:] for ids in document]
        if context == "document":
            passes += _document_passes(bodies, number, capacity)
        else:
            for index, body in enumerate(bodies):
                passes += _sentence_passes(body, number + index, capacity)
        number += len(bodies)
    return sorted(passes, key=len)


def _sentence_passes(body: NDArray[np.int32], number: int, capacity: int) -> list[Pass]:
    return [
        Pass(
            body[w.start : w.end],
            [Kept(number, 1 + w.keep_start - w.start, 1 + w.keep_end - w.start, 1 + w.keep_start)],
        )
        for w in windows(len(body), capacity)
    ]


def _document_passes(bodies: Sequence[NDArray[np.int32]], first: int, capacity: int) -> list[Pass]:
    """Each sentence in the middle of its document's pieces; equal windows are computed once."""
    if not bodies:
        return []
    whole = np.concatenate(bodies)
    passes: dict[tuple[int, int], Pass] = {}
    alone: list[Pass] = []
    start = 0
    for index, body in enumerate(bodies):
        end = start + len(body)
        if len(body) > capacity:
            alone += _sentence_passes(body, first + index, capacity)
        else:
            low, high = around(start, end, len(whole), capacity)
            found = passes.setdefault((low, high), Pass(whole[low:high]))
            found.kept.append(Kept(first + index, 1 + start - low, 1 + end - low, 1))
        start = end
    return [*passes.values(), *alone]


def around(start: int, end: int, total: int, capacity: int) -> tuple[int, int]:
    """The widest [low, high) of at most `capacity` inside [0, total) with [start, end) as near the middle as fits."""
    room = capacity - (end - start)
    low = max(0, start - room // 2)
    high = min(total, low + capacity)
    return max(0, high - capacity), high
