"""The pool: finished shards, kept between runs under names that contain their key and digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ner_head.base.errors import system_error
from ner_head.base.files import Buffer, digest_of, remove_leftovers, write_whole

NAME = re.compile(r"(?P<key>[0-9a-f]{64})\.(?P<sha256>[0-9a-f]{64})\.h5")


@dataclass(frozen=True)
class PooledShard:
    """A shard in the pool; `key` and `sha256` are read from its name."""

    path: Path
    key: str
    sha256: str

    @property
    def n_bytes(self) -> int:
        """Size of the file in bytes."""
        return self.path.stat().st_size

    @property
    def n_links(self) -> int:
        """Number of hard links to the file: in the pool, in data/features, in DVC's cache."""
        return self.path.stat().st_nlink

    def is_sound(self) -> bool:
        """Whether the file has the digest that is in its name.

        Raises:
            NerHeadError: the file could not be read; it may be intact.
        """
        try:
            return digest_of(self.path) == self.sha256
        except OSError as error:
            raise system_error(error, self.path) from None

    def remove(self) -> None:
        """Delete the file.

        Raises:
            NerHeadError: it cannot be deleted.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise system_error(error, self.path) from None


@dataclass(frozen=True)
class RemovedShard:
    """A removed shard.

    Attributes:
        key: its key.
        n_bytes: its size.
        n_freed: disk space that this freed: none if the file has other hard links, such as in DVC's cache.
    """

    key: str
    n_bytes: int
    n_freed: int


class Pool:
    """A folder of shards `KEY.SHA256.h5`. They may come from different encoders."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, key: str, sha256: str) -> Path:
        """Path of a shard, which need not exist."""
        return self.directory / f"{key}.{sha256}.h5"

    def shards(self) -> Iterator[PooledShard]:
        """All files with names of shards, sorted by name; the files are not read."""
        paths = sorted(self.directory.iterdir()) if self.directory.is_dir() else []
        for path in paths:
            if match := NAME.fullmatch(path.name):
                yield PooledShard(path, match["key"], match["sha256"])

    @cached_property
    def _names(self) -> dict[str, list[PooledShard]]:
        """Shards by key. The folder is listed once."""
        names: dict[str, list[PooledShard]] = {}
        for shard in self.shards():
            names.setdefault(shard.key, []).append(shard)
        return names

    def clean(self) -> None:
        """Remove unfinished files of killed processes, and list the folder again at the next use."""
        remove_leftovers(self.directory)
        self.__dict__.pop("_names", None)

    def has(self, key: str) -> bool:
        """Whether there is a shard with this key; the file is not read."""
        return key in self._names

    def find(self, key: str) -> PooledShard | None:
        """An intact shard with this key, or None. A damaged one is removed."""
        for shard in self._names.get(key, []):
            if shard.path.exists():
                if shard.is_sound():
                    return shard
                shard.remove()
        return None

    def add(self, key: str, *parts: Buffer) -> PooledShard:
        """Write a shard from its consecutive parts, atomically.

        Raises:
            ResourceError: the disk is full or not writable.
        """
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        shard = PooledShard(self.path(key, digest.hexdigest()), key, digest.hexdigest())
        write_whole(shard.path, *parts)
        return shard

    def prune(self, keep: Collection[str], *, dry: bool = False) -> list[RemovedShard]:
        """Remove the shards whose keys are not in `keep`; `dry` only lists them.

        Raises:
            NerHeadError: a shard cannot be deleted.
        """
        removed = []
        for shard in list(self.shards()):
            if shard.key not in keep:
                removed.append(RemovedShard(shard.key, shard.n_bytes, shard.n_bytes if shard.n_links == 1 else 0))
                if not dry:
                    shard.remove()
        if not dry:
            self.clean()
        return removed
