"""A feature store of random numbers, of any size, and training examples for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ner_head.corpus.tagging import TagSet
from ner_head.corpus.word_features import COLUMNS
from ner_head.features.store.codecs import CODECS, Coded
from ner_head.features.store.manifest import EncoderRecord, ShardDocument, ShardRecord, StoreManifest, write_manifest
from ner_head.features.store.pieces import Pieces
from ner_head.features.store.shard_writer import CodedView, shard_parts
from ner_head.features.store.store import FeatureStore
from ner_head.training.examples import Example

SHARD_BYTES = 128 << 20
MEAN = 39  # pieces per sentence


def memory(name: str) -> int:
    """Memory of this process in bytes: `RssAnon` is its own, `RssFile` is mapped files."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def random_store(folder: Path, n_pieces: int, n_layers: int = 12, width: int = 768) -> FeatureStore:
    """A store of at least `n_pieces` pieces in equal shards of about 128 MB, with 8 to 70 pieces per sentence."""
    rng = np.random.default_rng(0)
    a_shard = min(n_pieces, SHARD_BYTES // (n_layers * width * 2))
    sizes = rng.integers(8, 71, max(1, a_shard // MEAN)).tolist()
    numbers = [rng.standard_normal((n, n_layers, width), np.float32) for n in (sum(sizes), len(sizes))]
    states = CodedView(*(Coded(part.astype(np.float16)) for part in numbers))
    pieces = [Pieces(np.ones(n, np.int32), np.arange(-1, n - 1, dtype=np.int32)) for n in sizes]
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for number in range(-(-n_pieces // sum(sizes))):
        key = f"{number:064x}"
        digest = hashlib.sha256()
        with (folder / f"{key}.h5").open("wb") as file:
            for part in shard_parts([states], pieces, codec=CODECS["float16"], key=key, fingerprint="f" * 64):
                file.write(part)
                digest.update(part)
        rows = [ShardDocument(key=str(number), n_sentences=len(sizes))]
        shards.append(ShardRecord(key=key, sha256=digest.hexdigest(), documents=rows))
    record = EncoderRecord(model="random", fingerprint="f" * 64, n_layers=n_layers, width=width)
    write_manifest(folder, StoreManifest(encoder=record, shards=shards))
    return FeatureStore.open(folder)


def random_examples(store: FeatureStore, tag_set: TagSet, n_languages: int) -> list[Example]:
    """An example for each sentence of the store, with random entities."""
    rng = np.random.default_rng(1)
    outside, begins = tag_set.index("O"), [tag_set.index(f"B-{label}") for label in tag_set.labels]
    found = []
    for name in store:
        n_words = store.n_pieces(name) - 1
        tags = np.where(rng.random(n_words) < 0.1, rng.choice(begins, n_words), outside).tolist()
        ids = rng.integers(1, 1 << 32, (n_words, COLUMNS), dtype=np.uint32)
        found.append(Example(name, tags, int(rng.integers(n_languages)), ids))
    return found
