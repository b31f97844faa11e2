"""Check a whole store and count its content."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_head.base.errors import NerHeadError, system_error
from ner_head.features.store.store import FeatureStore


@dataclass(frozen=True)
class Contents:
    """Numbers of shards, documents, sentences, word pieces and bytes of a store or of one shard."""

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
class DeletedFiles:
    """Result of deleting damaged files.

    Attributes:
        paths: deleted names.
        left: number of hard links to the same files that were not found, and so not deleted.
    """

    paths: list[Path]
    left: int


def remove_everywhere(files: Sequence[Path], roots: Sequence[Path]) -> DeletedFiles:
    """Delete damaged files and all hard links to them below some folders.

    The pool, a store and DVC's cache are hard links to the same files, so damage is in all of them. DVC does not check
    its cache, and would link a damaged file into the store again.

    Raises:
        NerHeadError: a file cannot be deleted.
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
    return DeletedFiles(sorted(names), left)


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, which all hard links to a file share; None if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def project_of(store: Path) -> Path:
    """The closest folder around a store with a dvc.yaml; the store's own folder if there is none."""
    folders = (store.resolve(), *store.resolve().parents)
    return next((folder for folder in folders if (folder / "dvc.yaml").is_file()), store)


def check_shards(store: FeatureStore) -> Iterator[Contents | NerHeadError]:
    """Check each shard: its digest, its structure, and that all numbers of all views are finite.

    Yields:
        The content of each sound shard; `DamagedShardError` for a damaged one; another error for one that could not be
        checked.
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
    """Content of a store, checked.

    Raises:
        NerHeadError: a shard is damaged or could not be checked; names the first one.
    """
    total = Contents()
    for found in check_shards(store):
        if isinstance(found, NerHeadError):
            raise found
        total += found
    return total
