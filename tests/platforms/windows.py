"""A simulation of Windows: what its file system refuses, and what its Python does not have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ner_head.base import files

ABSENT = ("sched_getaffinity", "fork", "register_at_fork", "getuid", "geteuid")
"""Functions of `os` that Windows does not have."""


def in_use(path: Path) -> bool:
    """Whether this process has the file open or mapped."""
    name = str(path.absolute())
    opened = (str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return name in opened or f" {name}\n" in Path("/proc/self/maps").read_text(encoding="utf-8")


def simulate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files and folders behave as on Windows: nothing in use is renamed, replaced or removed."""
    real_replace, real_unlink, real_open = Path.replace, Path.unlink, os.open

    def replace(self: Path, target: Path) -> Path:
        if in_use(self) or in_use(Path(target)) or (self.is_dir() and Path(target).exists()):
            raise PermissionError(13, "The process cannot access the file", str(self), None, str(target))
        return real_replace(self, target)

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if in_use(self):
            raise PermissionError(13, "The process cannot access the file", str(self))
        real_unlink(self, missing_ok=missing_ok)

    def open_(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if Path(path).is_dir() and "dir_fd" not in options and flags == os.O_RDONLY:
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, flags, *rest, **options)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)
    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(files, "fcntl", None)
    for name in ABSENT:
        monkeypatch.delattr(os, name)


class Windows:
    """`os` with the name of Windows, for one module."""

    name, sep = "nt", "\\"

    def __getattr__(self, name: str) -> Any:
        if name in ABSENT:
            raise AttributeError(name)
        return getattr(os, name)
