"""Export to the HDF5 layout of structural-probes (Hewitt and Manning, 2019): one dataset per sentence."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

from ner_head.base.files import write_whole
from ner_head.features.store.store import FeatureStore
from ner_head.probing.pooling import Pool, vectors


def export_hewitt(store: FeatureStore, path: Path, *, pool: Pool = "piece", layers: range | None = None) -> int:
    """Write datasets "0", "1" ..., one per sentence in the store's order; returns their number.

    Each is float32, (K, N, D): K layers, and N rows. By pool, the rows are the pieces with [CLS] first and [SEP] last
    (zeros for [SEP] if the store is of version 1, which lacks it), the words, or one for the sentence.
    The dataset "sentence_to_index" is JSON, an object from the id of each sentence to its dataset; structural-probes
    and AllenNLP skip it or read it as such.

    Raises:
        DataError: a shard is damaged, or not all of the layers are stored.
        ResourceError: the file cannot be written.
    """
    index: dict[str, str] = {}
    with h5py.File.in_memory(libver=("v110", "v110")) as file:
        for name in store:
            features = store[name]
            rows = vectors(features, pool, layers)
            if pool == "piece":
                last = np.zeros((1, *rows.shape[1:]), np.float32)
                if features.separator is not None:
                    last[0] = features.separator if layers is None else features.separator[features.places(layers)]
                rows = np.concatenate([rows, last])
            index[name] = str(len(index))
            file.create_dataset(index[name], data=rows.transpose(1, 0, 2), track_times=False)
        file.create_dataset("sentence_to_index", data=json.dumps(index, ensure_ascii=False), track_times=False)
        file.flush()
        image: bytes = file.id.get_file_image()
    write_whole(path, image)
    return len(index)
