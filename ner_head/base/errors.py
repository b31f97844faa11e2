"""Errors that a user can mend. Each prints as one line and ends a command with its exit code."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class NerHeadError(Exception):
    """Base of all errors raised on purpose; the message says what, where, and how to mend it."""

    exit_code = 3


class UsageError(NerHeadError):
    """Wrong params, arguments or options."""

    exit_code = 2


class DataError(NerHeadError):
    """A corpus, cache or model that cannot be used as it is."""

    exit_code = 3


class DamagedShardError(DataError):
    """A shard's file that is proven wrong: by its digest, or by its structure. It may be deleted."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class ResourceError(NerHeadError):
    """Not enough disk, memory, open files or time."""

    exit_code = 4


LIMITS = {
    errno.EMFILE: "raise this process's limit of open files (`ulimit -n`)",
    errno.ENFILE: "the whole system has too many open files",
    errno.ENOMEM: "free some memory, or raise its limit (`ulimit -v`, `sysctl vm.max_map_count`)",
    errno.ENOSPC: "free some space, or take another disk",
    errno.EDQUOT: "free some of the disk quota",
    errno.EIO: "the disk or its connection fails",
    errno.EROFS: "take a place that can be written",
}
"""What mends an error of the machine."""
FOUND_SO = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}


def system_error(error: OSError, path: Path | None = None, *, mend: str = "") -> NerHeadError:
    """What the system answered, as one line: it says nothing about the bytes of a file.

    Args:
        error: what was raised.
        path: the file; else the one that the error names.
        mend: how to mend a file that is absent or cannot be opened.
    Returns:
        a `DataError` for such a file, a `ResourceError` for a limit or a failure of the machine.
    """
    names = [str(path)] if path else [str(name) for name in (error.filename, error.filename2) if name is not None]
    if names and error.errno:
        line = f"{' -> '.join(names)}: {os.strerror(error.errno)}"
    else:
        line = ": ".join([*names, " ".join(str(error).split())])
    if error.errno in FOUND_SO:
        return DataError(f"{line}; {mend}" if mend else line)
    hint = LIMITS.get(error.errno or 0)
    return ResourceError(f"{line}; {hint}" if hint else line)
