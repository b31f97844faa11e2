"""Files that are whole or absent: leftovers of writers that were killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ner_head.base import files
from ner_head.base.files import remove_leftovers, write_whole

WRITER = """
import sys, time
from pathlib import Path
from ner_head.base.files import open_temporary
temporary, handle = open_temporary(Path(sys.argv[1]))
handle.write(b"half")
handle.flush()
print(temporary.name, flush=True)
time.sleep(60)
"""


def test_leftovers_of_dead_writers_are_removed_and_what_is_being_written_is_kept(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "a.h5")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        assert remove_leftovers(tmp_path) == 0  # whatever the host or container of the writer is called
        assert (tmp_path / name).read_bytes() == b"half"
        child.kill()
    assert remove_leftovers(tmp_path) == 1
    assert not list(tmp_path.iterdir())


def test_without_locks_only_old_leftovers_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "fcntl", None)
    write_whole(tmp_path / "a.h5", b"x")
    for name, days in ((".old.h5.1.tmp", 2), (".new.h5.2.tmp", 0)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - days * 86_400,) * 2)
    assert remove_leftovers(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new.h5.2.tmp", "a.h5"]


def test_a_temporary_file_that_is_tidied_up_before_it_is_locked_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = files.try_lock, list[Path]()

    def late(handle: object) -> bool | None:
        if not calls:
            calls.append(next(tmp_path.glob(".*.tmp")))
            calls[0].unlink()
        return real(handle)

    monkeypatch.setattr(files, "try_lock", late)
    write_whole(tmp_path / "a.h5", b"x")
    assert (tmp_path / "a.h5").read_bytes() == b"x"
    assert not calls[0].exists()
