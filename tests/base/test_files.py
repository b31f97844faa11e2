"""Files that are whole or absent: leftovers of writers that were killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ner_head.base import files
from ner_head.base.errors import DataError, ResourceError
from ner_head.base.files import new_text, remove_leftovers, write_text, write_whole

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


def test_a_new_text_file_leaves_the_hard_links_of_the_old_one_as_they_are(tmp_path: Path) -> None:
    """DVC's cache has hard links to the outputs; root may write to them."""
    cached, output = tmp_path / "cached", tmp_path / "output"
    cached.write_text("old", encoding="utf-8")
    output.hardlink_to(cached)
    write_text(output, "new\n")
    assert (cached.read_text(encoding="utf-8"), output.read_bytes()) == ("old", b"new\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_one_line_with_the_name_of_the_file() -> None:
    with pytest.raises(ResourceError, match=r"^/dev/full: No space left on device; free some space"):
        write_text(Path("/dev/full"), "x")


def test_an_error_that_names_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: No such file"), new_text(tmp_path / "output"):
        (tmp_path / "absent").read_bytes()
