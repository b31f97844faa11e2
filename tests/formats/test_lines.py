from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.formats.lines import is_blank, read_lines, read_text, split_lines
from ner_head.formats.log import ReaderLog
from tests.corpus.strategies import write


def test_the_text_keeps_its_line_ends(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "a\r\nb\rc\n"})
    assert read_text(tmp_path / "a.txt") == "a\r\nb\rc\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_lines_end_with_any_of_the_usual_ends(end: str) -> None:
    assert split_lines(end.join(["a", "", "b", ""])) == ["a", "", "b"]


@given(st.lists(st.tuples(st.text("ab \u2028\x85\x0b"), st.sampled_from(["\n", "\r\n"]))), st.text("ab"))
def test_lines_and_ends_make_the_text_again(lines: list[tuple[str, str]], rest: str) -> None:
    text = "".join(line + end for line, end in lines) + rest
    assert split_lines(text) == [line for line, _ in lines] + ([rest] if rest else [])


def test_a_byte_order_mark_at_the_start_of_any_line_is_taken_off(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "\ufeffa\n\ufeff\n\ufeffb\ufeff\n"})
    assert read_lines(tmp_path / "a.txt") == ["a", "", "b\ufeff"]


@pytest.mark.parametrize("line", ["", " ", "\t", "\u00a0", "\u3000 ", "\ufeff", "\ufeff \t"])
def test_white_space_and_marks_are_blank(line: str) -> None:
    assert is_blank(line)
    assert not is_blank(f"{line}a")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_unicode_encodings_are_read_by_their_mark_and_told(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, {"a.txt": "Plzeň\r\n".encode(encoding)})
    log = ReaderLog()
    assert read_lines(tmp_path / "a.txt", log) == ["Plzeň"]
    assert log.notices == [f"{tmp_path / 'a.txt'}: read as {encoding.upper()}"]
    assert log.files == [tmp_path / "a.txt"]


def test_utf_16_without_a_mark_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "Brno".encode("utf-16-le")})
    with pytest.raises(DataError, match=r"a\.txt:1: zero bytes, as of UTF-16 without .*iconv -f UTF-16LE"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("první\nčeská".encode("cp1250"), r"a\.txt:1: not UTF-8 \(byte 0xed\); convert the file"),
        ("a\rb\rčeská".encode("cp1250"), r"a\.txt:3: not UTF-8 \(byte 0xe8\)"),
        ("a\nb".encode("utf-16") + b"\x00", r"a\.txt:2: not UTF-16 \(byte 0x00\)"),
    ],
)
def test_what_cannot_be_decoded_is_named_with_file_and_line(tmp_path: Path, content: bytes, expected: str) -> None:
    write(tmp_path, {"a.txt": content})
    with pytest.raises(DataError, match=expected) as caught:
        read_text(tmp_path / "a.txt")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.txt: No such file or directory"):
        read_text(tmp_path / "no.txt")
