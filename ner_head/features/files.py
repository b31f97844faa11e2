"""Files that are whole or absent, and the room that they need."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ner_head.errors import ResourceError

SPARE_BYTES = 1 << 28  # left free on the disk
HOST = re.sub(r"[^\w-]", "-", socket.gethostname()) or "host"
Buffer = bytes | memoryview
"""Bytes; a memory view counts and is sliced by bytes."""
TEMPORARY = re.compile(r"\..+\.(?P<host>[\w-]+)\.(?P<process>\d+)\.tmp")


def write_whole(path: Path, *parts: Buffer) -> None:
    """Write parts, one behind the other, through a temporary file, fsync and rename.

    `path` is either absent or complete.

    Raises:
        ResourceError: the disk is full or not writable; names the path and the bytes needed.
    """
    temporary = path.with_name(f".{path.name}.{HOST}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as handle:
            for part in parts:
                handle.write(part)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name is on the disk too, not only the bytes
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ResourceError(f"{path}: cannot write {sum(map(len, parts)):,} bytes: {error.strerror}") from None


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_of_all(paths: Iterable[Path]) -> str:
    """SHA-256 of the files' bytes, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as handle:
            while block := handle.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def link(source: Path, target: Path) -> None:
    """Hard link, or copy where the file system cannot.

    Raises:
        ResourceError: neither works; names the path and the bytes needed.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    except OSError as error:
        with suppress(OSError):
            target.unlink(missing_ok=True)
        size = source.stat().st_size if source.exists() else 0
        raise ResourceError(f"{target}: cannot write {size:,} bytes: {error.strerror}") from None


def free_bytes(directory: Path) -> int:
    """Free bytes of the disk where `directory` is or will be."""
    place = next(folder for folder in (directory, *directory.absolute().parents) if folder.exists())
    return shutil.disk_usage(place).free


def check_room(directory: Path, needed: int) -> None:
    """Refuse to start what cannot end.

    Raises:
        ResourceError: less than `needed` bytes (and a reserve) are free where `directory` is or will be.
    """
    free = free_bytes(directory)
    if needed and free < needed + SPARE_BYTES:
        raise ResourceError(
            f"{directory}: the features need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "free some, set runtime.pool to another disk, or take a smaller encoder"
        )


def remove_leftovers(directory: Path) -> int:
    """Remove temporary files of processes of this machine that are gone; returns how many."""
    removed = 0
    for path in directory.glob(".*.tmp"):
        named = TEMPORARY.fullmatch(path.name)
        if named and named["host"] == HOST and not _alive(int(named["process"])):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's, or not to be told
    return True
