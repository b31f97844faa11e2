"""The input of an encoder for one sentence, and arrays of pieces. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

N = TypeVar("N", bound=np.generic)


@dataclass(frozen=True)
class Pieces:
    """Word pieces of a sentence, without the final [SEP].

    Attributes:
        ids: (P,) int32, [CLS] first.
        word_of_piece: (P,) int32, index of the word of each piece, never decreasing; -1 for [CLS].
    """

    ids: NDArray[np.int32]
    word_of_piece: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)


def first_pieces(word_of_piece: NDArray[np.int32]) -> NDArray[np.int64]:
    """Index of the first piece of each word."""
    return np.flatnonzero(word_of_piece[1:] != word_of_piece[:-1]) + 1  # piece 0 is [CLS], which is not a word


def pad_rows(rows: Sequence[NDArray[N]], fill: int = 0) -> tuple[NDArray[N], NDArray[np.bool_]]:
    """Pad B arrays (n, ...) of different n to one (B, N, ...), with a mask (B, N) of what is not padding."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    padded = np.full((len(rows), int(lengths.max()), *rows[0].shape[1:]), fill, dtype=rows[0].dtype)
    filled = np.arange(padded.shape[1]) < lengths[:, None]
    padded[filled] = np.concatenate(rows)
    return padded, filled
