"""Opening of a large feature store, in a process of its own: `python -m benchmarks.load_store FOLDER`."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

from benchmarks.random_store import SHARD_BYTES, memory, random_store
from ner_head.features.store.manifest import ShardDocument, ShardRecord, StoreManifest, write_manifest
from ner_head.features.store.store import FeatureStore

LAYERS, WIDTH = 12, 384  # of the bundled encoder
SENTENCES = 10  # of a document


def sparse_store(folder: Path, gigabytes: float) -> None:
    """A store whose first shard is real; the others are files of its size without blocks on the disk.

    Opening does not read shards, so it cannot tell. The documents of the manifest have `SENTENCES` sentences.
    """
    store = random_store(folder, SHARD_BYTES // (LAYERS * WIDTH * 2), LAYERS, WIDTH)
    real, *others = store.manifest.shards
    for other in others:
        store.path(other).unlink()
    size = store.path(real).stat().st_size
    shards = []
    for number in range(max(1, round(gigabytes * 1e9 / size))):
        key = f"{number:064x}"
        full, rest = divmod(real.n_sentences, SENTENCES)
        counts = [SENTENCES] * full + [rest] * bool(rest)
        documents = [ShardDocument(key=f"topic/cs/{number}-{i}", n_sentences=n) for i, n in enumerate(counts)]
        shards.append(ShardRecord(key=key, sha256=real.sha256 if not number else "0" * 64, documents=documents))
        if number:
            with (folder / f"{key}.h5").open("wb") as file:
                file.truncate(size)
    write_manifest(folder, StoreManifest(encoder=store.manifest.encoder, shards=shards))


def look_at(folder: Path) -> dict[str, float]:
    """Seconds of opening, of the first read, of a random name, and of all names; and the memory that they take."""
    found = {"memory_before_MB": memory("RssAnon") / 1e6}
    start = time.perf_counter()
    store = FeatureStore.open(folder)
    opened = time.perf_counter()
    store[0]
    read = time.perf_counter()
    n_names = sum(name in store for name in store)
    scanned = time.perf_counter()
    for number in range(0, len(store), max(len(store) // 1000, 1)):
        store.name(number)
    named = time.perf_counter()
    return {
        "files": len(store.manifest.shards),
        "GB": sum(store.path(record).stat().st_size for record in store.manifest.shards) / 1e9,
        "sentences": n_names,
        "open_s": opened - start,
        "first_read_s": read - opened,
        "scan_of_the_index_s": scanned - read,
        "thousand_names_by_number_s": named - scanned,
        "memory_MB": memory("RssAnon") / 1e6 - found["memory_before_MB"],
    }


def main() -> None:
    """Print what `look_at` finds as JSON."""
    print(json.dumps(look_at(Path(sys.argv[1]))))


def remove(folder: Path) -> None:
    """Remove a store at once; the disk is needed."""
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
