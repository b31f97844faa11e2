"""Lines of files and pipes, as they come."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError, UsageError
from ner_head.prediction import lines
from ner_head.prediction.groups import Pause
from ner_head.prediction.lines import Line, read_lines, read_whole


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 16])
@pytest.mark.parametrize("content", [b"", b"a", b"a\n", b"\xef\xbb\xbfa\r\nb\rc\n\nd", b"\xc4\x8d\r\n\r\n"])
def test_lines_are_those_of_the_whole_text(
    tmp_path: Path, content: bytes, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "CHUNK", chunk)
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    expected = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    expected = expected if expected[-1] else expected[:-1]
    assert list(read_lines(str(path))) == [Line(number, text) for number, text in enumerate(expected, 1)]
    assert read_whole(str(path)) == content.decode("utf-8")


@given(st.text(st.sampled_from("a\r\nč ")), st.integers(1, 5))
def test_chunks_do_not_change_lines(text: str, chunk: int) -> None:
    content = text.encode()
    parts = [content[i : i + chunk] for i in range(0, len(content), chunk)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "chunks", lambda _: iter(parts))
        found = [line.text for line in read_lines("x") if isinstance(line, Line)]
    assert found == [line.decode() for line in content.splitlines()]


def test_a_pipe_gives_each_line_before_the_next_is_written() -> None:
    reading, writing = os.pipe()
    found = read_lines(f"/dev/fd/{reading}")
    assert isinstance(next(found), Pause)
    for number in (1, 2, 3):
        os.write(writing, b"line\n")
        line = next(item for item in found if isinstance(item, Line))
        assert line == Line(number, "line")
    os.close(writing)
    assert [item for item in found if isinstance(item, Line)] == []
    os.close(reading)


def test_too_little_memory_for_a_pipe_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    read, written = os.pipe()
    with monkeypatch.context() as patch, os.fdopen(read), os.fdopen(written, "w"):
        patch.setattr(lines.os, "read", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            list(lines.chunks(f"/dev/fd/{read}"))


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(UsageError, match=r"a\.txt: No such file or directory"):
        list(read_lines(str(path)))
    path.write_bytes(b"good\n\xff\n")
    with pytest.raises(DataError, match=r"a\.txt:2: not UTF-8 at byte 0 of the line"):
        list(read_lines(str(path)))
    with pytest.raises(DataError, match=r"a\.txt: not UTF-8 at byte 5; convert it first"):
        read_whole(str(path))
    path.write_bytes("a\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"a\.txt:1: not UTF-8 \(it is UTF-16\)"):
        list(read_lines(str(path)))
