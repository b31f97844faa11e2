"""One shuffled epoch from a store against a raw memory map and against HDF5 with a dataset per sentence.

    python -m benchmarks.reading [--gigabytes 2] [--width 768]

The dataset per sentence is what structural-probes writes, (L, P, D) float32; and the same in float16, as the store.
Run it in a control group with less memory than the files have (docs/results.md) to read from the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.report import write_results
from ner_head.base.files import digest_of
from ner_head.features.store.batches import pad_features, shuffled_batches
from ner_head.features.store.codecs import CODECS, Coded
from ner_head.features.store.pieces import Pieces
from ner_head.features.store.shard import Features
from ner_head.features.store.shard_writer import shard_parts
from ner_head.features.store.store import (
    DocumentRows,
    EncoderRecord,
    FeatureStore,
    ShardRecord,
    StoreManifest,
    read_manifest,
    write_manifest,
)

LAYERS, BATCH = 12, 16
STEP = 0.02  # seconds that a batch trains, where reading runs beside training
SHARD_BYTES = 128 << 20


def memory(name: str) -> int:
    """Bytes of this process's memory: `RssAnon`, its own, or `RssFile`, mapped pages that it may drop."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def fill(folder: Path, n_bytes: int, width: int) -> list[int]:
    """A store of random sentences, the same as one raw file, and some as a dataset each; their lengths."""
    rng = np.random.default_rng(0)
    lengths: list[int] = []
    shards = []
    with (folder / "raw").open("wb") as raw, h5py.File(folder / "each.h5", "w") as each:
        for number in range(max(1, n_bytes // SHARD_BYTES)):
            sizes = rng.integers(8, 70, SHARD_BYTES // (39 * LAYERS * width * 2)).tolist()
            hidden = [rng.standard_normal((n, LAYERS, width), np.float32).astype(np.float16) for n in sizes]
            pieces = [Pieces(np.ones(n, np.int32), np.arange(-1, n - 1, dtype=np.int32)) for n in sizes]
            key = f"{number:064x}"
            whole = Coded(np.concatenate(hidden))
            image = b"".join(shard_parts([whole], pieces, codec=CODECS["float16"], key=key, fingerprint="f" * 64))
            (folder / f"{key}.h5").write_bytes(image)
            rows = [DocumentRows(key=str(number), n_sentences=len(sizes))]
            shards.append(ShardRecord(key=key, sha256=hashlib.sha256(image).hexdigest(), documents=rows))
            for states in hidden:
                raw.write(states.tobytes())
                layers_first = states.transpose(1, 0, 2)
                each.create_dataset(str(len(lengths)), data=layers_first.astype(np.float32))
                each.create_dataset(f"{len(lengths)}-float16", data=layers_first)
                lengths.append(len(states))
    record = EncoderRecord(model="random", fingerprint="f" * 64, n_layers=LAYERS, width=width)
    write_manifest(folder, StoreManifest(encoder=record, shards=shards))
    return lengths


def epoch(read: Callable[[int], Features], lengths: list[int], seed: int, *, step: float = 0.0) -> float:
    """Seconds of an epoch: every sentence once, padded in batches; `step` seconds behind each for its training."""
    start = time.perf_counter()
    for batch in shuffled_batches(lengths, BATCH, seed=seed):
        pad_features([read(i) for i in batch])
        time.sleep(step)
    return time.perf_counter() - start


def digests(folder: Path) -> float:
    """Seconds of one pass of SHA-256 over the shards, one after the other."""
    start = time.perf_counter()
    for record in read_manifest(folder).shards:
        digest_of(folder / f"{record.key}.h5")
    return time.perf_counter() - start


class Ways:
    """Ways to read sentence i of what `fill` wrote."""

    def __init__(self, folder: Path, lengths: list[int], width: int) -> None:
        self.offsets = np.cumsum([0, *lengths])
        self.memmap = np.memmap(folder / "raw", np.float16, "r", shape=(int(self.offsets[-1]), LAYERS, width))
        self.index = [np.zeros(n, np.int32) for n in lengths]
        self.each = h5py.File(folder / "each.h5")
        self.files = FeatureStore.open(folder)
        self.names = list(self.files)

    def store(self, i: int) -> Features:
        """From the feature store."""
        return self.files[self.names[i]]

    def raw(self, i: int) -> Features:
        """From the raw memory map."""
        return Features(self.memmap[self.offsets[i] : self.offsets[i + 1]], self.index[i], np.zeros(0, np.int32))

    def dataset_per_sentence(self, i: int, kind: str = "") -> Features:
        """From HDF5, as structural-probes writes it."""
        return Features(self.each[f"{i}{kind}"][:].transpose(1, 0, 2), self.index[i], np.zeros(0, np.int32))

    def dataset_per_sentence_float16(self, i: int) -> Features:
        """The same, half as large."""
        return self.dataset_per_sentence(i, "-float16")


def measure(folder: Path, lengths: list[int], width: int) -> dict[str, Any]:
    """Epochs in turns, and what checking adds to the first one."""
    before = memory("RssAnon")
    ways = Ways(folder, lengths, width)
    turns = [ways.store, ways.raw, ways.dataset_per_sentence, ways.dataset_per_sentence_float16]
    epoch(ways.raw, lengths, 0)  # everything is in the page cache, as far as it fits
    first = epoch(ways.store, lengths, 1)
    seconds: dict[str, list[float]] = {read.__name__: [] for read in turns}
    anonymous = []
    for seed in (2, 3, 4):
        for read in turns:
            seconds[read.__name__].append(epoch(read, lengths, seed))
        anonymous.append(memory("RssAnon"))
    best = {name: min(found) for name, found in seconds.items()}
    hashing = digests(folder)
    trained = epoch(ways.store, lengths, 5, step=STEP)
    trained_first = epoch(Ways(folder, lengths, width).store, lengths, 5, step=STEP)
    return {
        "gigabytes": round(ways.memmap.nbytes / 1e9, 2),
        "sentences": len(lengths),
        "width": width,
        "pieces_per_second": {name: round(sum(lengths) / found) for name, found in best.items()},
        "of_a_raw_memory_map": round(best["raw"] / best["store"], 3),
        "faster_than_a_dataset_per_sentence": round(best["dataset_per_sentence"] / best["store"], 2),
        "faster_than_a_dataset_per_sentence_in_float16": round(best["dataset_per_sentence_float16"] / best["store"], 2),
        "first_epoch_longer_by_passes_of_sha256": round((first - best["store"]) / hashing, 2),
        "the_same_beside_training": round((trained_first - trained) / hashing, 2),
        "own_memory_above_start_in_MB_after_each_epoch": [round((a - before) / 1e6, 1) for a in anonymous],
    }


def main() -> None:
    """Measure, print, and write benchmarks/results/reading.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--width", type=int, default=768)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        lengths = fill(Path(name), int(options.gigabytes * 1e9), options.width)
        figures = measure(Path(name), lengths, options.width)
    print(figures)
    write_results("reading", figures, ("h5py", "numpy"))


if __name__ == "__main__":
    main()
