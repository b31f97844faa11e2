"""Read a store from end to end, and say what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ner_head.errors import DamagedShardError, DataError
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


def remove_everywhere(file: Path, root: Path) -> list[Path]:
    """Delete a damaged file with all its names below a folder.

    The pool, a store and DVC's cache link the same blocks: a bad byte in one is in all, and DVC, which trusts its
    cache, would link it back.
    """
    names = [path for path in root.rglob("*") if path.is_file() and path.samefile(file)]
    for path in names:
        path.unlink()
    return names


def check_shards(store: FeatureStore) -> Iterator[Contents | DamagedShardError]:
    """Check each shard in turn: its digest, its structure, and that all numbers of all views are finite."""
    for number, record in enumerate(store.manifest.shards):
        try:
            shard = store.shard(number)
            for view in range(1 + shard.n_views):
                for row in range(len(shard)):
                    shard.sentence(row, view=view)
        except DamagedShardError as error:
            yield error
        except DataError as error:  # it cannot even be read
            yield DamagedShardError(str(error), store.path(record))
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
