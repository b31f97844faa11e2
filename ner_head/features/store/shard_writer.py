"""Writing a shard, as docs/format.md specifies it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ner_head.base.errors import DataError
from ner_head.base.files import Buffer
from ner_head.features.store.codecs import Codec, Coded
from ner_head.features.store.pieces import Pieces
from ner_head.features.store.shard import FORMAT, INDEX, VERSION, view_name

ALIGNMENT = 64  # bytes; the width of AVX-512 vectors


class CodedView(NamedTuple):
    """Hidden states of a view of S sentences with N pieces, as stored.

    Attributes:
        pieces: (N, L, D) of all pieces.
        separators: (S, L, D) of the [SEP] of each sentence.
    """

    pieces: Coded
    separators: Coded


def shard_parts(
    views: Sequence[CodedView],
    pieces: Sequence[Pieces],
    *,
    codec: Codec,
    key: str,
    fingerprint: str,
    first_layer: int = 1,
) -> list[Buffer]:
    """The bytes of a shard, as consecutive parts. The same input always gives the same bytes.

    libhdf5 writes the headers and leaves gaps, which are filled with the arrays here. Writing the arrays through
    libhdf5 would block all other threads, because h5py holds a global lock.

    Args:
        views: hidden states of all sentences, for each view.
        pieces: the sentences.
        codec: the codec of the hidden states.
        key: the shard's key, in hex.
        fingerprint: the encoder's fingerprint, in hex.
        first_layer: number of the lowest stored layer.
    Raises:
        DataError: a stored hidden state is not finite.
    """
    numbers: dict[str, NDArray[Any]] = {}
    for view, states in enumerate(views):
        if not codec.is_finite(states.pieces) or not codec.is_finite(states.separators):
            raise DataError(f"shard {key[:12]}: a hidden state does not fit {codec.name}; the encoder overflows")
        for name, coded in (("hidden", states.pieces), ("separator", states.separators)):
            numbers[view_name(name, view)] = coded.values
            if coded.scale is not None:
                numbers[view_name({"hidden": "scale"}.get(name, f"{name}_scale"), view)] = coded.scale
    numbers["piece_ids"] = np.concatenate([p.ids for p in pieces]).astype(INDEX["piece_ids"])
    numbers["word_of_piece"] = np.concatenate([p.word_of_piece for p in pieces]).astype(INDEX["word_of_piece"])
    numbers["offsets"] = np.cumsum([0, *map(len, pieces)], dtype=INDEX["offsets"])
    headers, places = Headers(), dict[int, str]()
    with h5py.File(headers, "w", libver=("v110", "v110"), alignment_threshold=1, alignment_interval=ALIGNMENT) as file:
        file.attrs.update({"format": FORMAT, "version": VERSION, "key": key, "fingerprint": fingerprint})
        file.attrs.update({"dtype": codec.name, "first_layer": first_layer})
        for name, array in numbers.items():
            places[_reserve(file, name, array)] = name
    parts, end = list[Buffer](), 0
    for place, name in sorted(places.items()):
        flat = np.ascontiguousarray(numbers[name]).data.cast("B")
        parts += [headers.between(end, place), flat]
        end = place + len(flat)
    return [*parts, headers.between(end, headers.size)]


def _reserve(file: h5py.File, name: str, array: NDArray[Any]) -> int:
    """Create a contiguous dataset without its content; returns the offset of the content in the file."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.CONTIGUOUS)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plist.set_obj_track_times(False)
    kind, space = h5py.h5t.py_create(array.dtype), h5py.h5s.create_simple(array.shape)
    place: int = h5py.h5d.create(file.id, name.encode(), kind, space, plist).get_offset()
    return place


class Headers(io.RawIOBase):
    """A file object that keeps in memory only what libhdf5 writes. This is small, as no dataset is written."""

    def __init__(self) -> None:
        self.size, self.position = 0, 0
        self.written: list[tuple[int, bytes]] = []

    def between(self, start: int, end: int) -> bytes:
        """The bytes [start, end); zeros where nothing was written."""
        found = bytearray(end - start)
        for place, content in self.written:
            low, high = max(place, start), min(place + len(content), end)
            if low < high:
                found[low - start : high - start] = content[low - place : high - place]
        return bytes(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        self.position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.size}[whence]
        return self.position

    def write(self, content: Any) -> int:
        """Keep a copy of the content."""
        self.written.append((self.position, bytes(content)))
        self.position += len(content)
        self.size = max(self.size, self.position)
        return len(content)

    def readinto(self, buffer: Any) -> int:
        """Read what was written."""
        buffer[:] = self.between(self.position, self.position + len(buffer))
        return len(buffer)

    def truncate(self, size: int | None = None) -> int:
        """Set the size."""
        self.size = self.position if size is None else size
        return self.size
