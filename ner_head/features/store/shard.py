"""Reading a shard: an HDF5 file with the features of some documents, as docs/format.md specifies it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from ner_head.base.errors import DamagedShardError, DataError, ResourceError, system_error
from ner_head.base.files import digest_of
from ner_head.base.layers import spell
from ner_head.features.store.codecs import CODECS, Codec, Coded
from ner_head.features.store.mapping import MappedFile

FORMAT, VERSION = "ner-head features", 2
READABLE = (1, 2)
"""Versions that are read. Version 1 has no `separator` and no `first_layer`; its first layer is 1."""
INDEX = {"piece_ids": "<i4", "word_of_piece": "<i4", "offsets": "<i8"}


@dataclass(frozen=True)
class Features:
    """Features of a sentence.

    Attributes:
        hidden: (P, L, D), float32, or float16 as a view of the file if it is stored as float16.
        piece_ids: (P,) int32, [CLS] first.
        word_of_piece: (P,) int32, -1 for [CLS].
        separator: (L, D), hidden states of [SEP], of the same type as `hidden`; None in a store of version 1.
        first_layer: number of the lowest of the L stored layers.
    """

    hidden: NDArray[np.floating]
    piece_ids: NDArray[np.int32]
    word_of_piece: NDArray[np.int32]
    separator: NDArray[np.floating] | None = None
    first_layer: int = 1

    def places(self, layers: range) -> slice:
        """Where layers of the encoder are on the axis L.

        Raises:
            DataError: not all of them are stored.
        """
        stored = range(self.first_layer, self.first_layer + self.hidden.shape[1])
        check_layers(stored, layers)
        return slice(layers[0] - self.first_layer, layers[-1] + 1 - self.first_layer)


def check_layers(stored: range, wanted: range) -> None:
    """Check that layers of an encoder are stored.

    Raises:
        DataError: they are not; says which `encoder.layers` would store them.
    """
    if wanted[0] not in stored or wanted[-1] not in stored:
        both = range(min(stored[0], wanted[0]), max(stored[-1], wanted[-1]) + 1)
        raise DataError(
            f"the features have layers {spell(stored)} of the encoder, but the head reads {spell(wanted)}; "
            f"set encoder.layers to {spell(both)} and run `dvc repro extract`"
        )


def view_name(name: str, view: int) -> str:
    """Name of the dataset of a view: `hidden`, `hidden_1`, `hidden_2` ..., and in the same way for the others."""
    return f"{name}_{view}" if view else name


class Shard:
    """A shard opened for reading. The index is in memory, the hidden states are memory-mapped."""

    def __init__(self, path: Path, *, sha256: str, key: str, fingerprint: str, found: str | None = None) -> None:
        """Check the file's digest before libhdf5 sees it, then its structure.

        Args:
            path: the file.
            sha256: its digest in the manifest, in hex.
            key: its key in the manifest, in hex.
            fingerprint: the encoder's fingerprint in the manifest, in hex.
            found: the file's actual digest, if it is known already.
        Raises:
            DamagedShardError: the file differs from the manifest, or is not a shard.
            DataError: the file does not exist or cannot be opened.
            ResourceError: the system has run out of a resource or failed to read; the file may be intact.
        """
        self.path = path
        try:
            found = found or digest_of(path)
            if found != sha256:
                self._refuse(f"damaged (SHA-256 {found[:12]}, expected {sha256[:12]})")
            with h5py.File(path, "r", locking=False) as file:  # a finished shard is never written to
                self._read_attributes(file, key, fingerprint)
                self._read_index(file)
                self._content = MappedFile(path)
                self._map_states(file)
        except OSError as error:
            if error.errno is None and "errno" not in str(error):  # raised by the HDF5 library, not by the system
                self._refuse("not an HDF5 file")
            raise system_error(error, path, mend="run `dvc repro extract`") from None
        except MemoryError:
            raise ResourceError(f"{path}: not enough memory to open it") from None
        except (KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
            # raised by h5py for invalid structures; the digest is right, so the file was written this way
            self._refuse(f"not a shard: {' '.join(str(error).split())[:200]}")
        self._sound = np.zeros((len(self._states), len(self)), dtype=bool)

    def _refuse(self, why: str) -> NoReturn:
        mend = f"run `ner-head verify {self.path.parent} --remove`, then `dvc repro extract`"
        raise DamagedShardError(f"{self.path}: {why}; {mend}", self.path) from None

    def _read_attributes(self, file: h5py.File, key: str, fingerprint: str) -> None:
        wanted = ("format", "version", "key", "fingerprint", "dtype")
        attributes = {name: file.attrs.get(name) for name in wanted}
        if attributes["format"] != FORMAT or attributes["version"] not in READABLE:
            self._refuse(f"not a shard of format {FORMAT!r} version {' or '.join(map(str, READABLE))}")
        self._version = int(attributes["version"])
        self.first_layer = int(file.attrs["first_layer"]) if self._version > 1 else 1
        if self.first_layer < 0:
            self._refuse(f"its first layer is {self.first_layer}")
        if attributes["fingerprint"] != fingerprint:
            found = str(attributes["fingerprint"])[:12]
            self._refuse(f"made by encoder {found}, but the manifest names {fingerprint[:12]}")
        if attributes["key"] != key:
            self._refuse(f"holds the shard {str(attributes['key'])[:12]}, but the manifest names {key[:12]}")
        name = str(attributes["dtype"])
        if name not in CODECS:
            self._refuse(f"stored as {name[:20]!r}, which is none of {', '.join(CODECS)}")
        self.codec: Codec = CODECS[name]

    def _read_index(self, file: h5py.File) -> None:
        index = {name: self._dataset(file, name, stored, 1) for name, stored in INDEX.items()}
        self.offsets: NDArray[np.int64] = index["offsets"][:]
        self._piece_ids: NDArray[np.int32] = index["piece_ids"][:]
        self._word_of_piece: NDArray[np.int32] = index["word_of_piece"][:]
        n_pieces = len(self._piece_ids)
        if (
            len(self._word_of_piece) != n_pieces
            or self.offsets[0] != 0
            or self.offsets[-1] != n_pieces
            or (self.offsets[1:] <= self.offsets[:-1]).any()
        ):
            self._refuse("its datasets disagree about the number of pieces")
        # -1 at the first piece of each sentence and nowhere else; then each piece is of the same word or of the next
        starts = np.zeros(n_pieces, dtype=bool)
        starts[self.offsets[:-1]] = True
        steps = np.diff(self._word_of_piece.astype(np.int64), prepend=-1)
        inside = ~starts
        if (
            ((self._word_of_piece == -1) != starts).any()
            or (self._word_of_piece < -1).any()
            or (self._piece_ids < 0).any()
            or ((steps[inside] != 0) & (steps[inside] != 1)).any()
        ):
            self._refuse("word_of_piece does not number the words of each sentence")

    def _map_states(self, file: h5py.File) -> None:
        self._states: list[Coded] = []
        self._separators: list[Coded] = []
        self._places: list[int] = []
        while not self._states or view_name("hidden", len(self._states)) in file:
            view = len(self._states)
            states = self._coded(file, "hidden", "scale", view)
            size = self._states[0].values.shape[1:] if view else states.values.shape[1:]
            if states.values.shape != (len(self._piece_ids), *size):
                self._refuse("its datasets disagree about the number of pieces")
            self._states.append(states)
            self._places.append(file[view_name("hidden", view)].id.get_offset())
            if self._version > 1:
                separators = self._coded(file, "separator", "separator_scale", view)
                if separators.values.shape != (len(self), *size):
                    self._refuse(f"{view_name('separator', view)}: does not have a [SEP] for each sentence and layer")
                self._separators.append(separators)

    def _coded(self, file: h5py.File, name: str, scale_name: str, view: int) -> Coded:
        """The states of a view, with their scale if the codec has one."""
        values = self._map(self._dataset(file, view_name(name, view), self.codec.stored, 3))
        scale: NDArray[Any] | None = None
        if self.codec.scaled:
            scale = self._map(self._dataset(file, view_name(scale_name, view), "<f4", 2))
            if scale.shape != values.shape[:2]:
                self._refuse(f"{view_name(scale_name, view)}: does not have a number for each vector")
        return Coded(values, scale)

    def _map(self, dataset: h5py.Dataset) -> NDArray[Any]:
        flat = np.frombuffer(self._content.view, dataset.dtype, dataset.size, dataset.id.get_offset())
        return flat.reshape(dataset.shape)

    def _fetch(self, view: int, start: int, end: int) -> None:
        """Ask the system to read rows [start, end) of a view ahead."""
        row = self._states[view].values[:1].nbytes
        self._content.will_need(self._places[view] + start * row, self._places[view] + end * row)

    def _dataset(self, file: h5py.File, name: str, stored: str, n_axes: int) -> h5py.Dataset:
        """A dataset, checked: stored in this file, contiguous, of the expected type, and no larger than the file."""
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            self._refuse(f"{name}: not a plain dataset of this file")
        dataset = file[name]
        if (
            not isinstance(dataset, h5py.Dataset)
            or dataset.is_virtual
            or dataset.external
            or dataset.id.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS
            or dataset.id.get_create_plist().get_nfilters()
            or dataset.dtype != np.dtype(stored)
            or dataset.ndim != n_axes
            or dataset.size == 0
        ):
            self._refuse(f"{name}: not a contiguous {stored} dataset of {n_axes} axes")
        place, size = dataset.id.get_offset(), self.path.stat().st_size
        if place is None or place + dataset.nbytes > size:
            self._refuse(f"{name}: says {dataset.nbytes:,} bytes, more than the file has")
        return dataset

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_views(self) -> int:
        """Number of views with dropout; view 0 is not counted."""
        return len(self._states) - 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, L, D) of all sentences."""
        n_pieces, n_layers, width = self._states[0].values.shape
        return n_pieces, n_layers, width

    def sentence(self, row: int, *, view: int = 0) -> Features:
        """A sentence's features.

        Raises:
            DataError: they contain NaN or infinity (checked when a sentence is first read).
        """
        start, end = int(self.offsets[row]), int(self.offsets[row + 1])
        self._fetch(view, start, end)
        stored = self._states[view][start:end]
        last = self._separators[view][row] if self._separators else None
        if not self._sound[view, row]:
            if not self.codec.is_finite(stored) or (last is not None and not self.codec.is_finite(last)):
                self._refuse(f"sentence {row} holds NaN or infinity")
            self._sound[view, row] = True
        return Features(
            self.codec.decode(stored),
            self._piece_ids[start:end],
            self._word_of_piece[start:end],
            None if last is None else self.codec.decode(last),
            self.first_layer,
        )
