"""Write files that are complete or absent, compute their digests, and check free disk space."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TextIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from ner_head.base.errors import DataError, ResourceError, UsageError, system_error

SPARE_BYTES = 1 << 28  # reserve of free disk space
DAY = 86_400.0  # seconds
Buffer = bytes | memoryview
"""Bytes, or a memory view of bytes."""


def write_whole(path: Path, *parts: Buffer) -> None:
    """Write the concatenated parts through a temporary file, fsync and rename, so that `path` is absent or complete.

    Raises:
        ResourceError: the disk is full or not writable; names the path and the number of bytes.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as handle:
            for part in parts:
                handle.write(part)
    except OSError as error:
        raise ResourceError(f"{path}: cannot write {sum(map(len, parts)):,} bytes: {error.strerror}") from None


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A temporary file beside `path`, which gets its name at the end. So `path` is absent or complete.

    Raises:
        OSError: the disk is full or not writable.
    """
    temporary, file = open_temporary(path)
    try:
        with file as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
            if fcntl is None:
                handle.close()  # Windows renames no open file
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names of files in a folder durable. Windows opens no folders, and some network drives sync none."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def new_text(path: Path) -> Iterator[TextIO]:
    """A new text file, in UTF-8 with Unix line ends. Folders above it are made.

    An old file is removed, not written over: it may be a hard link into DVC's cache, or a symbolic one.

    Raises:
        NerHeadError: the file cannot be written; the message names it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            path.unlink()
        with path.open("w", encoding="utf-8", newline="\n") as handle:
            yield handle
    except BrokenPipeError:
        raise
    except OSError as error:
        raise system_error(error, None if error.filename else path) from None


def write_text(path: Path, text: str) -> None:
    """Write a text file with `new_text`."""
    with new_text(path) as handle:
        handle.write(text)


def open_temporary(path: Path) -> tuple[Path, IO[bytes]]:
    """Open a new temporary file beside `path`. It is locked, so that `remove_leftovers` keeps it until it is closed."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        handle = temporary.open("wb")
        if try_lock(handle) is not False and temporary.exists():
            return temporary, handle
        handle.close()  # another process removed it before it was locked


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, which gets its name at the end. So `folder` is absent or complete.

    Raises:
        UsageError: the folder exists and is not empty.
        ResourceError: the disk is full or not writable.
    """
    check_new(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            whole = Path(temporary, "whole")
            whole.mkdir()
            yield whole
            if folder.is_dir():
                folder.rmdir()  # Windows replaces no folder, not even an empty one
            whole.replace(folder)
    except OSError as error:
        raise system_error(error, None if error.filename else folder) from None


def portable(path: str) -> str:
    """A path with slashes, which Windows understands too. Files that other machines read have their paths so."""
    return path.replace(os.sep, "/")


def check_new(folder: Path) -> None:
    """Check that a folder does not exist yet, or is empty.

    Raises:
        UsageError: it is in use.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"{folder}: exists already; remove it, or give another folder")


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_checked(path: Path, sha256: str, *, mend: str) -> bytes:
    """Read a file and compare its SHA-256 with the one that is known; "" = none is known.

    Raises:
        DataError: the file is absent or has another digest.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise system_error(error, path, mend=mend) from None
    if sha256 and (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise DataError(f"{path}: damaged (SHA-256 {found[:12]}, expected {sha256[:12]}); {mend}")
    return content


def digest_of_all(paths: Iterable[Path]) -> str:
    """SHA-256 of the concatenated files."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as handle:
            while block := handle.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def link(source: Path, target: Path) -> None:
    """Create a hard link, or a copy if the file system has no hard links.

    Raises:
        ResourceError: the target cannot be written; names the path and the number of bytes.
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
    """Number of free bytes on the disk of `directory`, which need not exist."""
    place = next(folder for folder in (directory, *directory.absolute().parents) if folder.exists())
    return shutil.disk_usage(place).free


def check_room(directory: Path, needed: int) -> None:
    """Check that `needed` bytes and a reserve are free on the disk of `directory`, which need not exist.

    Raises:
        ResourceError: there is less free space.
    """
    free = free_bytes(directory)
    if needed and free < needed + SPARE_BYTES:
        raise ResourceError(
            f"{directory}: the features need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "free some, set runtime.pool to another disk, or take a smaller encoder"
        )


def remove_leftovers(directory: Path) -> int:
    """Remove temporary files of writers that have ended; returns the number of removed files.

    A writer locks its file (`write_whole`). The lock ends with the process, also if that runs on another machine or in
    a container. If the file system has no locks, files that were modified within a day are kept.
    """
    removed = 0
    for path in directory.glob(".*.tmp"):
        with suppress(OSError):
            with path.open("rb") as handle:
                locked = try_lock(handle)
                if locked:
                    path.unlink()
            if locked is None and time.time() - path.stat().st_mtime > DAY:
                path.unlink()  # Windows removes no open file
            removed += not path.exists()
    return removed


def try_lock(handle: IO[bytes]) -> bool | None:
    """Lock a file until it is closed. False if another process has locked it; None if locks are not supported."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
