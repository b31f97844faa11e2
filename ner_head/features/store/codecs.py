"""Codecs: how the hidden states of an encoder are stored, from 4 bytes per number down to 1.

Imports no torch: the params of extraction name a codec and are read without it. To add a codec, write a subclass of
`Codec` here and add it to `CODECS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

BLOCK_BYTES = 1 << 20
Index = int | slice


@dataclass(frozen=True)
class Coded:
    """Hidden states as they are stored.

    Attributes:
        values: (..., L, D) of the type `Codec.stored`.
        scale: (..., L) float32 if `Codec.scaled`, else None.
    """

    values: NDArray[np.generic]
    scale: NDArray[np.float32] | None = None

    def __getitem__(self, index: Index) -> Coded:
        """The same selection of leading axes of both arrays."""
        return Coded(self.values[index], None if self.scale is None else self.scale[index])

    def __setitem__(self, index: Index, other: Coded) -> None:
        self.values[index] = other.values
        if self.scale is not None and other.scale is not None:
            self.scale[index] = other.scale


class Codec(ABC):
    """Converts hidden states to their stored form and back. A codec has no state.

    Attributes:
        name: value of `encoder.dtype` in params.yaml and of the attribute `dtype` in a shard.
        stored: numpy type of the dataset `hidden`, with its byte order.
        scaled: whether there is a dataset `scale` with one float32 per piece and layer.
        working: name of the torch type that `encode` can take without losing precision.
    """

    name: ClassVar[str]
    stored: ClassVar[str]
    scaled: ClassVar[bool] = False
    working: ClassVar[str] = "float32"

    @abstractmethod
    def encode(self, states: Tensor) -> Coded:
        """Encode states (..., L, D) on any device."""

    @abstractmethod
    def decode(self, stored: Coded) -> NDArray[np.floating]:
        """Decode to (..., L, D), float16 or float32."""

    @abstractmethod
    def is_finite(self, stored: Coded) -> bool:
        """Whether the states contain neither NaN nor infinity."""

    def empty(self, shape: tuple[int, ...]) -> Coded:
        """Uninitialised memory for states of shape (..., L, D)."""
        return Coded(np.empty(shape, self.stored), np.empty(shape[:-1], np.float32) if self.scaled else None)

    def bytes_per_piece(self, n_layers: int, width: int) -> int:
        """Bytes of one word piece's hidden states, in one view."""
        return n_layers * (width * np.dtype(self.stored).itemsize + (4 if self.scaled else 0))


class FloatCodec(Codec):
    """Base of the codecs that store each number as a binary floating-point number.

    Attributes:
        bits: numpy type of the unsigned integers of the same size.
        infinity: bit pattern of infinity.
    """

    bits: ClassVar[str]
    infinity: ClassVar[int]

    def is_finite(self, stored: Coded) -> bool:
        """Compare bit patterns: without its sign bit, NaN or infinity is an integer of at least `infinity`.

        This is several times faster than `numpy.isfinite` on float16.
        """
        values = stored.values.view(self.bits)
        magnitude = np.array(np.iinfo(self.bits).max >> 1, self.bits)
        return all(int((block & magnitude).max()) < self.infinity for block in _blocks(values) if block.size)


class Float32(FloatCodec):
    """IEEE 754 binary32."""

    name, stored, bits, infinity = "float32", "<f4", "<u4", 0x7F800000

    def encode(self, states: Tensor) -> Coded:
        """Convert to float32."""
        return Coded(states.float().cpu().numpy())

    def decode(self, stored: Coded) -> NDArray[np.floating]:
        """The stored array itself, float32."""
        values: NDArray[Any] = stored.values
        return values


class Float16(FloatCodec):
    """IEEE 754 binary16."""

    name, stored, bits, infinity = "float16", "<f2", "<u2", 0x7C00
    working = "float16"

    def encode(self, states: Tensor) -> Coded:
        """Round to float16."""
        return Coded(states.half().cpu().numpy())

    def decode(self, stored: Coded) -> NDArray[np.floating]:
        """The stored array itself, float16."""
        values: NDArray[Any] = stored.values
        return values


class BFloat16(FloatCodec):
    """The upper 16 bits of a float32, rounded to nearest, ties to even. Stored as uint16: numpy has no such type."""

    name, stored, bits, infinity = "bfloat16", "<u2", "<u2", 0x7F80

    def encode(self, states: Tensor) -> Coded:
        """Round to bfloat16."""
        import torch

        return Coded(states.bfloat16().view(torch.int16).cpu().numpy().view(self.stored))

    def decode(self, stored: Coded) -> NDArray[np.floating]:
        """Widen to float32."""
        wide: NDArray[np.float32] = (stored.values.astype(np.uint32) << 16).view(np.float32)
        return wide


class Int8(Codec):
    """round(x / scale) as int8, where scale = max |x| / 127 over the vector of a piece and layer."""

    name, stored, scaled = "int8", "|i1", True
    largest: ClassVar[int] = 127

    def encode(self, states: Tensor) -> Coded:
        """Quantise; a vector of zeros has scale 0."""
        import torch

        # the scale is rounded to float32 before the division, so that `decode` multiplies by the same number
        scale = states.float().abs().amax(-1) / self.largest
        quotient = torch.where(scale[..., None] > 0, states / scale[..., None], 0)
        values = quotient.round().clamp(-self.largest, self.largest).to(torch.int8)
        return Coded(values.cpu().numpy(), scale.cpu().numpy())

    def decode(self, stored: Coded) -> NDArray[np.floating]:
        """Multiply by the scale, in float32."""
        assert stored.scale is not None  # shards of this codec are read and written with it
        product: NDArray[np.float32] = np.multiply(stored.values, stored.scale[..., None], dtype=np.float32)
        return product

    def is_finite(self, stored: Coded) -> bool:
        """Whether all scales are finite."""
        return stored.scale is not None and bool(np.isfinite(stored.scale).all())


CODECS: dict[str, Codec] = {codec.name: codec for codec in (Float16(), BFloat16(), Float32(), Int8())}
"""All codecs by name."""


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Rows in blocks that fit into the processor's cache."""
    step = max(1, BLOCK_BYTES // max(1, rows[:1].nbytes))
    return (rows[start : start + step] for start in range(0, len(rows), step))
