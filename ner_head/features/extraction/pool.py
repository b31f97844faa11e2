"""Finished shards, kept between runs under names that tell what they have to contain."""

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
    """A file of the pool; `key` and `sha256` are what its name promises."""

    path: Path
    key: str
    sha256: str

    @property
    def n_bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size

    @property
    def n_links(self) -> int:
        """Names of the same bytes: this one, in data/features, in DVC's cache."""
        return self.path.stat().st_nlink

    def is_sound(self) -> bool:
        """Whether the file has the digest that its name promises.

        Raises:
            NerHeadError: the system cannot read it, which proves nothing against it.
        """
        try:
            return digest_of(self.path) == self.sha256
        except OSError as error:
            raise system_error(error, self.path) from None

    def remove(self) -> None:
        """Delete the file.

        Raises:
            NerHeadError: the system refuses.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise system_error(error, self.path) from None


@dataclass(frozen=True)
class Removal:
    """A shard that was removed: its bytes, and those that this frees: none where it has other names (DVC's cache)."""

    key: str
    n_bytes: int
    n_freed: int


class Pool:
    """A folder of shards `KEY.SHA256.h5`, from any number of encoders."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, key: str, sha256: str) -> Path:
        """Where a shard is, or will be."""
        return self.directory / f"{key}.{sha256}.h5"

    def shards(self) -> Iterator[PooledShard]:
        """Every file that is named as a shard, by name; nothing is read."""
        paths = sorted(self.directory.iterdir()) if self.directory.is_dir() else []
        for path in paths:
            if match := NAME.fullmatch(path.name):
                yield PooledShard(path, match["key"], match["sha256"])

    @cached_property
    def _names(self) -> dict[str, list[PooledShard]]:
        """One look at the folder, however many shards are asked for."""
        names: dict[str, list[PooledShard]] = {}
        for shard in self.shards():
            names.setdefault(shard.key, []).append(shard)
        return names

    def clean(self) -> None:
        """Remove what killed writers left, and look at the folder anew."""
        remove_leftovers(self.directory)
        self.__dict__.pop("_names", None)

    def has(self, key: str) -> bool:
        """Whether a shard is here, by its name alone."""
        return key in self._names

    def find(self, key: str) -> PooledShard | None:
        """A shard, if it is here undamaged; a damaged one is removed."""
        for shard in self._names.get(key, []):
            if shard.path.exists():
                if shard.is_sound():
                    return shard
                shard.remove()
        return None

    def add(self, key: str, *parts: Buffer) -> PooledShard:
        """Write a shard whole, its parts one behind the other.

        Raises:
            ResourceError: the disk is full or not writable.
        """
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        shard = PooledShard(self.path(key, digest.hexdigest()), key, digest.hexdigest())
        write_whole(shard.path, *parts)
        return shard

    def prune(self, keep: Collection[str], *, dry: bool = False) -> list[Removal]:
        """Remove the shards whose keys are not in `keep`.

        Raises:
            NerHeadError: the system refuses to delete one.
        """
        removed = []
        for shard in list(self.shards()):
            if shard.key not in keep:
                removed.append(Removal(shard.key, shard.n_bytes, shard.n_bytes if shard.n_links == 1 else 0))
                if not dry:
                    shard.remove()
        if not dry:
            self.clean()
        return removed
