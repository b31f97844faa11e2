"""One shuffled epoch from a store against a raw memory map and against HDF5 with a dataset per sentence.

python -m benchmarks.reading [--gigabytes 2] [--width 768]
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from benchmarks.report import write_results
from ner_head.features.batches import pad_features, shuffled_batches
from ner_head.features.codes import Coded
from ner_head.features.shard import Features
from ner_head.features.shard_writer import shard_parts
from ner_head.features.store import (
    DocumentRows,
    EncoderRecord,
    FeatureStore,
    ShardRecord,
    StoreManifest,
    write_manifest,
)
from ner_head.features.wordpieces import Pieces

LAYERS, BATCH = 12, 16
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
            image = b"".join(shard_parts([whole], pieces, code="float16", key=key, fingerprint="f" * 64))
            (folder / f"{key}.h5").write_bytes(image)
            rows = [DocumentRows(key=str(number), n_sentences=len(sizes))]
            shards.append(ShardRecord(key=key, sha256=hashlib.sha256(image).hexdigest(), documents=rows))
            for states in hidden:
                raw.write(states.tobytes())
                each.create_dataset(str(len(lengths)), data=states.transpose(1, 0, 2))
                lengths.append(len(states))
    record = EncoderRecord(model="random", fingerprint="f" * 64, n_layers=LAYERS, width=width)
    write_manifest(folder, StoreManifest(encoder=record, shards=shards))
    return lengths


def epoch(read: Callable[[int], Features], lengths: list[int], seed: int) -> float:
    """Pieces a second of an epoch: every sentence once, padded in batches."""
    start = time.perf_counter()
    for batch in shuffled_batches(lengths, BATCH, seed=seed):
        pad_features([read(i) for i in batch])
    return sum(lengths) / (time.perf_counter() - start)


def main() -> None:
    """Measure, print, and write benchmarks/results/reading.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--width", type=int, default=768)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lengths = fill(folder, int(options.gigabytes * 1e9), options.width)
        offsets = np.cumsum([0, *lengths])
        raw = np.memmap(folder / "raw", np.float16, "r", shape=(int(offsets[-1]), LAYERS, options.width))
        none = np.zeros(0, np.int32)
        index = [np.zeros(n, np.int32) for n in lengths]
        each = h5py.File(folder / "each.h5")
        before = memory("RssAnon")
        store = FeatureStore.open(folder)
        names = list(store)

        def from_raw(i: int) -> Features:
            return Features(raw[offsets[i] : offsets[i + 1]], index[i], none)

        def from_each(i: int) -> Features:
            return Features(each[str(i)][:].transpose(1, 0, 2), index[i], none)

        epoch(from_raw, lengths, 0)  # everything is in the page cache, as far as it fits
        first = epoch(lambda i: store[names[i]], lengths, 1)
        rates: dict[str, list[float]] = {"store": [], "raw": [], "dataset_per_sentence": []}
        anonymous = []
        for seed in (2, 3, 4):
            rates["raw"].append(epoch(from_raw, lengths, seed))
            rates["store"].append(epoch(lambda i: store[names[i]], lengths, seed))
            rates["dataset_per_sentence"].append(epoch(from_each, lengths, seed))
            anonymous.append(memory("RssAnon"))
        best = {name: max(found) for name, found in rates.items()}
        figures = {
            "gigabytes": round(raw.nbytes / 1e9, 2),
            "sentences": len(lengths),
            "pieces_per_second": {name: round(rate) for name, rate in best.items()} | {"first_epoch": round(first)},
            "of_a_raw_memory_map": round(best["store"] / best["raw"], 3),
            "first_epoch_with_sha256_of_a_raw_memory_map": round(first / best["raw"], 3),
            "faster_than_a_dataset_per_sentence": round(best["store"] / best["dataset_per_sentence"], 2),
            "own_memory_above_start_in_MB_after_each_epoch": [round((a - before) / 1e6, 1) for a in anonymous],
        }
    print(figures)
    write_results("reading", figures, ("h5py", "numpy"))


if __name__ == "__main__":
    main()
