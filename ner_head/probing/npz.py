"""Export to a `.npz` file of plain arrays, which numpy reads without pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_head.base.errors import system_error
from ner_head.base.files import whole_file
from ner_head.features.store.store import FeatureStore
from ner_head.probing.pooling import Pool, n_rows, vectors


def export_npz(store: FeatureStore, path: Path, *, pool: Pool = "piece", layers: range | None = None) -> int:
    """Write the vectors of all S sentences, in the store's order; returns S. The memory for this is constant.

    The arrays of the file:

    - `vectors`: (N, K, D) float32, all rows of all sentences. A row is a piece, a word or a sentence (`pool`).
    - `offsets`: (S + 1,) int64. Sentence i has rows offsets[i] to offsets[i + 1].
    - `ids`: (S,) str, the ids of the sentences.
    - `layers`: (K,) int64, the numbers of the layers; 0 is the output of the embeddings.
    - `piece_ids`, `word_of_piece`: (N,) int32, with pool `piece` only; the word of [CLS] is -1.

    Raises:
        DataError: a shard is damaged, or not all of the layers are stored.
        ResourceError: the file cannot be written.
    """
    names, width = list(store), store.manifest.encoder.width
    chosen = layers or store.manifest.encoder.stored_layers
    offsets = np.cumsum([0, *(n_rows(store[name], pool) for name in names)], dtype=np.int64)
    arrays: dict[str, NDArray[Any]] = {"offsets": offsets, "ids": np.array(names), "layers": np.array(chosen)}
    if pool == "piece":
        for name in ("piece_ids", "word_of_piece"):
            arrays[name] = np.concatenate([getattr(store[sentence], name) for sentence in names])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
            rows = (vectors(store[name], pool, layers) for name in names)
            write_rows(archive, "vectors", (int(offsets[-1]), len(chosen), width), rows)
            for name, array in arrays.items():
                write_rows(archive, name, array.shape, iter([array]), array.dtype)
    except OSError as error:
        raise system_error(error, path) from None
    return len(names)


def write_rows(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    parts: Iterator[NDArray[Any]],
    dtype: np.dtype[Any] | None = None,
) -> None:
    """Write an array, float32 by default, part by part."""
    kind = dtype or np.dtype("<f4")
    entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, so that the same vectors are the same bytes
    with archive.open(entry, "w", force_zip64=True) as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, kind).tobytes())
