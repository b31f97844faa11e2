"""Read the text and the lines of a file, by the same rules for every format."""

from __future__ import annotations

import codecs
from pathlib import Path

import regex

from ner_head.base.errors import DataError
from ner_head.formats.log import ReaderLog

BOM = "\ufeff"
# CR, LF and CRLF; and CR CR LF, which results from converting CRLF for Windows again
LINE_END = regex.compile(r"\r*+\n|\r")
_ENCODINGS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


def read_text(path: Path, log: ReaderLog | None = None) -> str:
    """Read the exact characters of a file, including line ends.

    The encoding is UTF-8, or UTF-16 or UTF-32 if the file has a byte order mark of these.

    Args:
        path: the file.
        log: log that lists the file, with a notice if it is not UTF-8.

    Raises:
        DataError: the file cannot be opened or decoded (names file and line of the first wrong byte).
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
    if log is not None:
        log.files.append(path)
        if encoding != "UTF-8":
            log.notices.append(f"{path}: read as {encoding}")
    return text


def read_lines(path: Path, log: ReaderLog | None = None) -> list[str]:
    """Read the lines of a file, without line ends.

    A line ends with CR, LF or CRLF. A byte order mark at the start of a line is removed: it comes from concatenated
    files. The text after the last line end is a line only if it is not empty.

    Raises:
        DataError: as `read_text`.
    """
    return [line.lstrip(BOM) for line in split_lines(read_text(path, log))]


def split_lines(text: str) -> list[str]:
    """Split a text into lines, without line ends."""
    lines = LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def is_blank(line: str) -> bool:
    """Whether a line has only white space, including no-break spaces, and byte order marks."""
    return not line.strip().strip(BOM).strip()
