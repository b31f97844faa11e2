"""Errors that a user can mend. Each prints as one line and ends a command with its exit code."""

from __future__ import annotations

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
    """A shard's file that is not what it should be."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class ResourceError(NerHeadError):
    """Not enough disk, memory or time."""

    exit_code = 4
