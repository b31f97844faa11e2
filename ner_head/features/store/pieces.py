"""The input of an encoder for one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
