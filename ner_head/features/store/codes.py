"""How hidden states are stored: four codes, from 4 bytes a number to 1.

`float16` and `float32` are what they say. `bfloat16` has no numpy type and is stored as the upper 16 bits of a
float32, rounded to the nearest, ties to even. `int8` stores round(x / scale) with one float32 scale per piece and
layer, the largest magnitude / 127.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.features.store.spec import Code

STORED: dict[Code, str] = {"float16": "<f2", "bfloat16": "<u2", "float32": "<f4", "int8": "|i1"}
LARGEST_CODE = 127
BLOCK_BYTES = 1 << 20
Index = int | slice


@dataclass(frozen=True)
class Coded:
    """Hidden states as they are stored.

    Attributes:
        values: (..., L, D) of the code's type.
        scale: (..., L) float32 for `int8`, None for the others.
    """

    values: NDArray[np.generic]
    scale: NDArray[np.float32] | None = None

    def __getitem__(self, index: Index) -> Coded:
        """The same selection of leading axes from both."""
        return Coded(self.values[index], None if self.scale is None else self.scale[index])

    def __setitem__(self, index: Index, other: Coded) -> None:
        self.values[index] = other.values
        if self.scale is not None and other.scale is not None:
            self.scale[index] = other.scale

    @classmethod
    def empty(cls, code: Code, shape: tuple[int, ...]) -> Coded:
        """Room for hidden states of `shape` (..., L, D)."""
        return cls(np.empty(shape, STORED[code]), np.empty(shape[:-1], np.float32) if code == "int8" else None)


def bytes_per_piece(code: Code, n_layers: int, width: int) -> int:
    """Bytes that a piece's hidden states take, one view."""
    return n_layers * (width * np.dtype(STORED[code]).itemsize + (4 if code == "int8" else 0))


def encode(states: Tensor, code: Code) -> Coded:
    """Float32 states (..., L, D) on any device -> their stored form."""
    if code == "float16":
        return Coded(states.to(torch.float16).cpu().numpy())
    if code == "float32":
        return Coded(states.to(torch.float32).cpu().numpy())
    if code == "bfloat16":
        return Coded(states.to(torch.bfloat16).view(torch.int16).cpu().numpy().view(STORED[code]))
    # scale in float32, so that writer and reader multiply by the same number; a row of zeros has scale 0
    scale = states.float().abs().amax(-1) / LARGEST_CODE
    quotient = torch.where(scale[..., None] > 0, states / scale[..., None], 0)
    return Coded(quotient.round().clamp(-LARGEST_CODE, LARGEST_CODE).to(torch.int8).cpu().numpy(), scale.cpu().numpy())


def decode(stored: Coded, code: Code) -> NDArray[np.floating]:
    """The stored form -> float16 (as it is, without a copy) or float32 for every other code."""
    values: NDArray[Any] = stored.values
    if code == "bfloat16":
        wide: NDArray[np.float32] = (values.astype(np.uint32) << 16).view(np.float32)
        return wide
    if code == "int8":
        assert stored.scale is not None  # its reader and its writer both see to it
        product: NDArray[np.float32] = np.multiply(values, stored.scale[..., None], dtype=np.float32)
        return product
    return values


def is_finite(stored: Coded, code: Code) -> bool:
    """Whether there is neither NaN nor infinity.

    The exponent's bits are all ones for those and for nothing else: an integer maximum, many times faster than
    `numpy.isfinite` on float16.
    """
    if code == "int8":
        return stored.scale is not None and bool(np.isfinite(stored.scale).all())
    bits, mask, limit = {
        "float16": ("<u2", 0x7FFF, 0x7C00),
        "bfloat16": ("<u2", 0x7FFF, 0x7F80),
        "float32": ("<u4", 0x7FFFFFFF, 0x7F800000),
    }[code]
    values = stored.values.view(bits)
    return all(int((block & np.array(mask, bits)).max()) < limit for block in _blocks(values) if block.size)


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Rows in runs that a cache of the processor holds."""
    step = max(1, BLOCK_BYTES // max(1, rows[:1].nbytes))
    return (rows[start : start + step] for start in range(0, len(rows), step))
