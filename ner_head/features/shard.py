"""One shard: an HDF5 file with the features of some documents. The only module that knows h5py.

Layout (docs/format.md): contiguous, uncompressed datasets `hidden` (N, L, D) float16, `piece_ids` (N,) int32,
`word_of_piece` (N,) int32 and `offsets` (S + 1,) int64 over N pieces of S sentences; attributes `format`,
`version`, `key` and `fingerprint`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from ner_head.errors import DataError, ResourceError
from ner_head.features.wordpieces import Pieces

FORMAT, VERSION = "ner-head features", 1
DTYPES = {"hidden": "<f2", "piece_ids": "<i4", "word_of_piece": "<i4", "offsets": "<i8"}


@dataclass(frozen=True)
class Features:
    """One sentence's cached features: `hidden` (P, L, D) float16, `piece_ids` and `word_of_piece` (P,) int32."""

    hidden: NDArray[np.float16]
    piece_ids: NDArray[np.int32]
    word_of_piece: NDArray[np.int32]


def shard_bytes(
    hidden: Sequence[NDArray[np.float16]], pieces: Sequence[Pieces], *, key: str, fingerprint: str
) -> bytes:
    """The whole file, built in memory: the same input gives the same bytes.

    Raises:
        DataError: a hidden state is not finite in float16.
    """
    offsets = np.cumsum([0, *(len(p) for p in pieces)], dtype=np.int64)
    layers, width = hidden[0].shape[1:]
    with h5py.File.in_memory(libver=("v110", "v110")) as file:
        file.attrs.update({"format": FORMAT, "version": VERSION, "key": key, "fingerprint": fingerprint})
        states = file.create_dataset(
            "hidden", (int(offsets[-1]), layers, width), dtype=DTYPES["hidden"], track_times=False
        )
        for start, end, layer_states in zip(offsets[:-1], offsets[1:], hidden, strict=True):
            if not np.isfinite(layer_states).all():
                raise DataError(f"shard {key[:12]}: a hidden state does not fit float16; the encoder overflows")
            states[start:end] = layer_states
        for name, data in (
            ("piece_ids", np.concatenate([p.ids for p in pieces])),
            ("word_of_piece", np.concatenate([p.word_of_piece for p in pieces])),
            ("offsets", offsets),
        ):
            file.create_dataset(name, data=data.astype(DTYPES[name]), track_times=False)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def write_whole(path: Path, content: bytes) -> None:
    """Write through a temporary file, fsync and rename: `path` is either absent or complete.

    Raises:
        ResourceError: the disk is full or not writable; names the path and the bytes needed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ResourceError(f"{path}: cannot write {len(content):,} bytes: {error.strerror}") from None


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class Shard:
    """A shard opened for reading: the index in memory, `hidden` through a memory map."""

    def __init__(self, path: Path, *, sha256: str, key: str, fingerprint: str) -> None:
        """Check the file's digest before libhdf5 sees it, then its structure.

        Raises:
            DataError: the file is absent, damaged, or not a shard of this store.
        """
        try:
            found = digest_of(path)
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; run `dvc repro extract`") from None
        if found != sha256:
            raise DataError(f"{path}: damaged (SHA-256 {found[:12]}, expected {sha256[:12]}); run `dvc repro extract`")
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
            if attributes.get("format") != FORMAT or attributes.get("version") != VERSION:
                raise DataError(f"{path}: not a shard of format {FORMAT!r} version {VERSION}")
            if attributes.get("key") != key or attributes.get("fingerprint") != fingerprint:
                raise DataError(
                    f"{path}: made by encoder {str(attributes.get('fingerprint'))[:12]}, but the manifest names "
                    f"{fingerprint[:12]}; run `dvc repro extract`"
                )
            datasets = {name: _dataset(file, name, path) for name in DTYPES}
            self.offsets: NDArray[np.int64] = datasets["offsets"][:]
            self._piece_ids: NDArray[np.int32] = datasets["piece_ids"][:]
            self._word_of_piece: NDArray[np.int32] = datasets["word_of_piece"][:]
            shape, place = datasets["hidden"].shape, datasets["hidden"].id.get_offset()
        n_pieces = len(self._piece_ids)
        if (
            len(shape) != 3
            or {shape[0], len(self._word_of_piece), int(self.offsets[-1])} != {n_pieces}
            or self.offsets[0] != 0
            or (np.diff(self.offsets) <= 0).any()
        ):
            raise DataError(f"{path}: its datasets disagree about the number of pieces")
        self._hidden = np.memmap(path, mode="r", dtype=DTYPES["hidden"], offset=place, shape=shape)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Features:
        start, end = self.offsets[row], self.offsets[row + 1]
        return Features(self._hidden[start:end], self._piece_ids[start:end], self._word_of_piece[start:end])


def _dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """A dataset that is really in this file, contiguous and of the expected type."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise DataError(f"{path}: {name}: not a plain dataset of this file")
    dataset = file[name]
    if (
        not isinstance(dataset, h5py.Dataset)
        or dataset.is_virtual
        or dataset.external
        or dataset.chunks
        or dataset.compression
        or dataset.dtype != np.dtype(DTYPES[name])
        or dataset.size == 0
    ):
        raise DataError(f"{path}: {name}: not a contiguous {DTYPES[name]} dataset")
    return dataset
