"""Read a store from end to end, and say what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ner_head.errors import DataError
from ner_head.features.store import FeatureStore


@dataclass(frozen=True)
class Contents:
    """What a store, or one shard of it, holds."""

    shards: int = 0
    documents: int = 0
    sentences: int = 0
    pieces: int = 0
    n_bytes: int = 0

    def __add__(self, other: Contents) -> Contents:
        return Contents(
            self.shards + other.shards,
            self.documents + other.documents,
            self.sentences + other.sentences,
            self.pieces + other.pieces,
            self.n_bytes + other.n_bytes,
        )


def check_shards(store: FeatureStore) -> Iterator[Contents | DataError]:
    """Check each shard in turn: its digest, its structure, and that all numbers of all views are finite."""
    for number, record in enumerate(store.manifest.shards):
        try:
            shard = store.shard(number)
            for view in range(1 + shard.n_views):
                for row in range(len(shard)):
                    shard.sentence(row, view=view)
        except DataError as error:
            yield error
        else:
            yield Contents(1, len(record.documents), len(shard), shard.shape[0], store.path(record).stat().st_size)


def contents(store: FeatureStore) -> Contents:
    """What a sound store holds.

    Raises:
        DataError: a shard is damaged; the first one is named.
    """
    total = Contents()
    for found in check_shards(store):
        if isinstance(found, DataError):
            raise found
        total += found
    return total
