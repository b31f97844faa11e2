"""Read a store from end to end, and say what it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_head.base.errors import NerHeadError, system_error
from ner_head.features.store.store import FeatureStore


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


@dataclass(frozen=True)
class Removed:
    """What became of damaged files: the names that were deleted, and how many of the same blocks are left elsewhere."""

    paths: list[Path]
    left: int


def remove_everywhere(files: Sequence[Path], roots: Sequence[Path]) -> Removed:
    """Delete damaged files with all their names below some folders.

    The pool, a store and DVC's cache link the same blocks: a bad byte in one is in all, and DVC, which trusts its
    cache, would link it back.

    Raises:
        NerHeadError: the system refuses to delete one.
    """
    links = {identity(file): file.stat().st_nlink for file in files}
    names = {file.parent.resolve() / file.name for file in files}
    for root in roots:
        for folder, _, found in os.walk(root.resolve()):
            names |= {path for name in found if identity(path := Path(folder, name)) in links}
    left = sum(links.values())
    for path in sorted(names):
        left -= not path.is_symlink()
        try:
            path.unlink()
        except OSError as error:
            raise system_error(error, path) from None
    return Removed(sorted(names), left)


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, equal for all names of the same blocks; None for a name of nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def project_of(store: Path) -> Path:
    """The project that a store belongs to, where its pool and DVC's cache are too; else the store's own folder."""
    folders = (store.resolve(), *store.resolve().parents)
    return next((folder for folder in folders if (folder / "dvc.yaml").is_file()), store)


def check_shards(store: FeatureStore) -> Iterator[Contents | NerHeadError]:
    """Check each shard in turn: its digest, its structure, and that all numbers of all views are finite.

    A `DamagedShardError` is proof against a shard; any other error says that it could not be checked.
    """
    for number, record in enumerate(store.manifest.shards):
        try:
            shard = store.shard(number)
            for view in range(1 + shard.n_views):
                for row in range(len(shard)):
                    shard.sentence(row, view=view)
        except NerHeadError as error:
            yield error
        else:
            yield Contents(1, len(record.documents), len(shard), shard.shape[0], store.path(record).stat().st_size)


def contents(store: FeatureStore) -> Contents:
    """What a sound store holds.

    Raises:
        NerHeadError: a shard is damaged or cannot be checked; the first one is named.
    """
    total = Contents()
    for found in check_shards(store):
        if isinstance(found, NerHeadError):
            raise found
        total += found
    return total
