"""Passes of the encoder: windows over long sentences, and neighbouring sentences as context."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ner_head.features.store.spec import Context


@dataclass(frozen=True)
class Window:
    """Pieces [start, end) are encoded together; the hidden states of [keep_start, keep_end) are kept."""

    start: int
    end: int
    keep_start: int
    keep_end: int


def windows(n_pieces: int, capacity: int) -> list[Window]:
    """Windows of at most `capacity` pieces that cover [0, n_pieces) and overlap by half.

    Each piece is kept from the window in which it is farthest from an edge. So a kept piece has at least about
    capacity / 4 pieces of context on each side, unless the sentence ends there.
    """
    if n_pieces <= capacity:
        return [Window(0, n_pieces, 0, n_pieces)]
    stride = max(1, capacity // 2)
    starts = [*range(0, n_pieces - capacity, stride), n_pieces - capacity]
    cuts = [0, *((after + before + capacity) // 2 for before, after in pairwise(starts)), n_pieces]
    return [Window(start, start + capacity, *kept) for start, kept in zip(starts, pairwise(cuts), strict=True)]


@dataclass(frozen=True)
class Kept:
    """Rows [start, end) of a pass hold pieces `target`, `target` + 1 ... of a sentence, whose piece 0 is [CLS]."""

    sentence: int
    start: int
    end: int
    target: int


@dataclass
class Pass:
    """One row of a batch.

    Attributes:
        body: (P,) int32 pieces between [CLS] and [SEP].
        kept: the rows of the result that are kept.
    """

    body: NDArray[np.int32]
    kept: list[Kept] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of pieces, [CLS] and [SEP] included."""
        return len(self.body) + 2


def plan_passes(sentences: Sequence[Sequence[NDArray[np.int32]]], *, context: Context, capacity: int) -> list[Pass]:
    """Passes for some documents, in ascending length; passes of the same length in the order of the sentences.

    Args:
        sentences: documents of sentences of piece ids, each (P,) with [CLS] first.
        context: `sentence`: each sentence alone; `document`: with neighbouring sentences of its document (Schweter and
            Akbik, FLERT, 2020), in windows that sentences share.
        capacity: largest number of pieces between [CLS] and [SEP].
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
    """Passes over half-overlapping windows of a document.

    A sentence is kept whole from the window in which it is nearest to the middle. So about twice the pieces of the
    document are computed, however many sentences it has. A sentence that no window has as a whole, which is longer than
    half of the capacity, gets a window of its own.
    """
    if not bodies:
        return []
    whole = np.concatenate(bodies)
    starts = [window.start for window in windows(len(whole), capacity)]
    passes: dict[tuple[int, int], Pass] = {}
    alone: list[Pass] = []
    start = 0
    for index, body in enumerate(bodies):
        end = start + len(body)
        if len(body) > capacity:
            alone += _sentence_passes(body, first + index, capacity)
        else:
            low, high = _window_of(start, end, len(whole), starts, capacity)
            found = passes.setdefault((low, high), Pass(whole[low:high]))
            found.kept.append(Kept(first + index, 1 + start - low, 1 + end - low, 1))
        start = end
    return [*passes.values(), *alone]


def _window_of(start: int, end: int, total: int, starts: Sequence[int], capacity: int) -> tuple[int, int]:
    """The window that has [start, end) nearest to its middle; one around it if none of the windows has all of it."""
    fitting = starts[bisect_left(starts, end - capacity) : bisect_right(starts, start)]
    if not fitting:
        return around(start, end, total, capacity)
    low = min(fitting, key=lambda low: abs(2 * low + min(capacity, total) - start - end))
    return low, min(low + capacity, total)


def around(start: int, end: int, total: int, capacity: int) -> tuple[int, int]:
    """The widest [low, high) of at most `capacity` within [0, total) that has [start, end) closest to its middle."""
    room = capacity - (end - start)
    low = max(0, start - room // 2)
    high = min(total, low + capacity)
    return max(0, high - capacity), high
