"""A sentence as an encoder sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pieces:
    """A sentence as the encoder sees it, without the closing [SEP].

    Attributes:
        ids: (P,) int32, [CLS] first.
        word_of_piece: (P,) int32, the word that each piece belongs to, -1 for [CLS]; never decreasing.
    """

    ids: NDArray[np.int32]
    word_of_piece: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)
