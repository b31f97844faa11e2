"""The text and the lines of a file: the same rules for every format."""

from __future__ import annotations

import codecs
from pathlib import Path

import regex

from ner_head.base.errors import DataError
from ner_head.formats.reading import Tally

BOM = "\ufeff"
# CR, LF and CRLF; and CR CR LF, which a second conversion for Windows makes of CRLF
LINE_END = regex.compile(r"\r*+\n|\r")
_ENCODINGS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


def read_text(path: Path, tally: Tally | None = None) -> str:
    """The exact characters of a file, line ends included: UTF-8, or UTF-16 with its byte order mark.

    Args:
        path: the file.
        tally: where the file is counted, and told of if it is not UTF-8.

    Raises:
        DataError: no such file, or file and line of the first byte that is not of the encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    encoding = next((name for mark, name in _ENCODINGS.items() if content.startswith(mark)), "UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(LINE_END.findall(content[: error.start].decode(encoding, "replace"))) + 1
        raise DataError(
            f"{path}:{line}: not {encoding} (byte 0x{content[error.start]:02x}); "
            "convert the file, for example with iconv"
        ) from None
    if 10 * text.count("\0") > len(text):
        raise DataError(
            f"{path}:1: zero bytes, as of UTF-16 without a byte order mark; "
            "convert the file, for example with iconv -f UTF-16LE -t UTF-8"
        )
    if tally is not None:
        tally.files.append(path)
        if encoding != "UTF-8":
            tally.notices.append(f"{path}: read as {encoding}")
    return text


def read_lines(path: Path, tally: Tally | None = None) -> list[str]:
    """The lines of a table, without their ends: the first is line 1.

    A line ends with CR, LF or CRLF. A byte order mark at the start of a line is none of its characters: it comes
    from files that were joined. What follows the last line end counts as a line only if it is not empty.

    Raises:
        DataError: as `read_text`.
    """
    return [line.lstrip(BOM) for line in split_lines(read_text(path, tally))]


def split_lines(text: str) -> list[str]:
    """The lines of a text, without their ends."""
    lines = LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def is_blank(line: str) -> bool:
    """Whether a line holds nothing but white space, no-break spaces and byte order marks included."""
    return not line.strip().strip(BOM).strip()
