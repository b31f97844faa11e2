"""Errors that a user can fix. A program prints each as one line and ends with its exit code."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class NerHeadError(Exception):
    """Base of all errors raised on purpose. The message says what is wrong, where, and how to fix it."""

    exit_code = 3


class UsageError(NerHeadError):
    """Params, arguments or options are wrong."""

    exit_code = 2


class DataError(NerHeadError):
    """A corpus, feature store or model cannot be used."""

    exit_code = 3


class DamagedShardError(DataError):
    """The file of a shard has a wrong digest or structure. It may be deleted."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class ResourceError(NerHeadError):
    """There is not enough disk space, memory, open files or time."""

    exit_code = 4


HINTS = {
    errno.EMFILE: "raise this process's limit of open files (`ulimit -n`)",
    errno.ENFILE: "the whole system has too many open files",
    errno.ENOMEM: "free some memory, or raise its limit (`ulimit -v`, `sysctl vm.max_map_count`)",
    errno.ENOSPC: "free some space, or take another disk",
    errno.EDQUOT: "free some of the disk quota",
    errno.EIO: "the disk or its connection fails",
    errno.EROFS: "take a place that can be written",
}
"""How to fix an error of the machine, by error number."""
FILE_ERRORS = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}


CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
CONTROLS |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029)}
"""Control characters, by which a terminal changes its state, and line separators, and how they are shown."""


LONGEST_LINE = 2000
ENDS = 900  # characters that are left at each end of a longer line: the file, and how to mend it


def harmless(message: str) -> str:
    """A message that a terminal can show, because names and texts of a hostile file may be in it.

    Control characters are escaped, and very long lines are cut in the middle.
    """
    lines = message.translate(CONTROLS).split("\n")
    return "\n".join(f"{line[:ENDS]} ... {line[-ENDS:]}" if len(line) > LONGEST_LINE else line for line in lines)


def system_error(error: OSError, path: Path | None = None, *, mend: str = "") -> NerHeadError:
    """Convert an error of the operating system into one of this module, with a one-line message.

    Args:
        error: the error.
        path: the file; by default the file that the error names.
        mend: how to fix a file that is absent or cannot be opened.
    Returns:
        A `DataError` for a file that is absent or cannot be opened, a `ResourceError` for a limit or a failure of the
        machine.
    """
    names = [str(path)] if path else [str(name) for name in (error.filename, error.filename2) if name is not None]
    if names and error.errno:
        line = f"{' -> '.join(names)}: {os.strerror(error.errno)}"
    else:
        line = ": ".join([*names, " ".join(str(error).split())])
    if error.errno in FILE_ERRORS:
        return DataError(f"{line}; {mend}" if mend else line)
    hint = HINTS.get(error.errno or 0)
    return ResourceError(f"{line}; {hint}" if hint else line)
