"""Time of one shuffled epoch from a store, from a raw memory map, and from HDF5 with one dataset per sentence.

    python -m benchmarks.reading [--gigabytes 2] [--width 768]

One dataset per sentence, (L, P, D) float32, is the layout of structural-probes. It is also measured in float16, as in
the store. To measure reading from the disk, run it in a control group with less memory than the files take
(docs/results.md).
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

from benchmarks.random_store import memory
from benchmarks.report import write_results
from ner_head.base.files import digest_of
from ner_head.features.store.batches import pad_features, shuffled_batches
from ner_head.features.store.codecs import CODECS, Coded
from ner_head.features.store.manifest import (
    EncoderRecord,
    ShardDocument,
    ShardRecord,
    StoreManifest,
    read_manifest,
    write_manifest,
)
from ner_head.features.store.pieces import Pieces
from ner_head.features.store.shard import Features
from ner_head.features.store.shard_writer import CodedView, shard_parts
from ner_head.features.store.store import FeatureStore

LAYERS, BATCH = 12, 16
STEP = 0.02  # seconds of training per batch
SHARD_BYTES = 128 << 20


def fill(folder: Path, n_bytes: int, width: int) -> list[int]:
    """Write random sentences as a store, as one raw file and as one dataset each; returns their lengths."""
    rng = np.random.default_rng(0)
    lengths: list[int] = []
    shards = []
    with (folder / "raw").open("wb") as raw, h5py.File(folder / "each.h5", "w") as each:
        for number in range(max(1, n_bytes // SHARD_BYTES)):
            sizes = rng.integers(8, 70, SHARD_BYTES // (39 * LAYERS * width * 2)).tolist()
            hidden = [rng.standard_normal((n, LAYERS, width), np.float32).astype(np.float16) for n in sizes]
            pieces = [Pieces(np.ones(n, np.int32), np.arange(-1, n - 1, dtype=np.int32)) for n in sizes]
            key = f"{number:064x}"
            whole = CodedView(Coded(np.concatenate(hidden)), Coded(np.stack([states[-1] for states in hidden])))
            image = b"".join(shard_parts([whole], pieces, codec=CODECS["float16"], key=key, fingerprint="f" * 64))
            (folder / f"{key}.h5").write_bytes(image)
            rows = [ShardDocument(key=str(number), n_sentences=len(sizes))]
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
    """Seconds of an epoch in padded batches, with `step` seconds of training after each."""
    start = time.perf_counter()
    for batch in shuffled_batches(lengths, BATCH, seed=seed):
        pad_features([read(i) for i in batch])
        time.sleep(step)
    return time.perf_counter() - start


def digests(folder: Path) -> float:
    """Seconds to compute SHA-256 of all shards, one after the other."""
    start = time.perf_counter()
    for record in read_manifest(folder).shards:
        digest_of(folder / f"{record.key}.h5")
    return time.perf_counter() - start


class Ways:
    """Ways to read a sentence of those that `fill` wrote."""

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
        """From HDF5 in the layout of structural-probes."""
        return Features(self.each[f"{i}{kind}"][:].transpose(1, 0, 2), self.index[i], np.zeros(0, np.int32))

    def dataset_per_sentence_float16(self, i: int) -> Features:
        """The same, in float16."""
        return self.dataset_per_sentence(i, "-float16")


def measure(folder: Path, lengths: list[int], width: int) -> dict[str, Any]:
    """Measure epochs of all ways in turn, and the time that the digests add to the first epoch."""
    before = memory("RssAnon")
    ways = Ways(folder, lengths, width)
    turns = [ways.store, ways.raw, ways.dataset_per_sentence, ways.dataset_per_sentence_float16]
    epoch(ways.raw, lengths, 0)  # fills the page cache
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
