"""Export to the HDF5 layout of structural-probes (Hewitt and Manning, 2019): one dataset per sentence."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ner_head.base.files import write_whole
from ner_head.features.store.store import FeatureStore


def export_hewitt(store: FeatureStore, path: Path) -> int:
    """Write datasets "0", "1" ..., one per sentence in the store's order; returns their number.

    Each is (L, P + 1, D) float32. The last row is [SEP]; it is zeros if the store is of version 1, which lacks it.

    Raises:
        DataError: a shard is damaged.
        ResourceError: the file cannot be written.
    """
    count = 0
    with h5py.File.in_memory(libver=("v110", "v110")) as file:
        for name in store:
            features = store[name]
            hidden = features.hidden
            n_pieces, n_layers, width = hidden.shape
            rows = np.zeros((n_layers, n_pieces + 1, width), np.float32)
            rows[:, :n_pieces] = hidden.transpose(1, 0, 2)
            if features.separator is not None:
                rows[:, -1] = features.separator
            file.create_dataset(str(count), data=rows, track_times=False)
            count += 1
        file.flush()
        image: bytes = file.id.get_file_image()
    write_whole(path, image)
    return count
