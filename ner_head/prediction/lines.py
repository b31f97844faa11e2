"""Read bytes and lines as they come, from files, pipes and standard input."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import NamedTuple

from ner_head.base.errors import DataError, UsageError
from ner_head.formats.lines import BOM
from ner_head.prediction.groups import PAUSE, Pause

STDIN = "-"
CHUNK = 1 << 16  # bytes
AHEAD = 64  # chunks that are read ahead from a pipe


class Line(NamedTuple):
    """A line without its end, and its number, counted from 1."""

    number: int
    text: str


def name_of(path: str) -> str:
    """The name of a file as text; bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode(errors="backslashreplace")


def read_whole(path: str) -> str:
    """The exact text of a file or of standard input.

    Raises:
        UsageError: the file cannot be opened.
        DataError: it is not UTF-8.
    """
    content = b"".join(chunk for chunk in chunks(path) if not isinstance(chunk, Pause))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name_of(path)}: not UTF-8 at byte {error.start}{_utf16(content)}; convert it first"
        ) from None


def read_lines(path: str) -> Iterator[Line | Pause]:
    """The lines of a file or of standard input, each as soon as it is complete. A byte order mark is removed.

    A line ends with LF, CR or CRLF.

    Yields:
        The lines; a pause when the next line is not there yet.
    Raises:
        UsageError: the file cannot be opened.
        DataError: a line is not UTF-8 (names file and line).
    """
    left, number = list[bytes](), 0  # chunks of a line that goes on
    for chunk in chunks(path):
        if isinstance(chunk, Pause):
            yield PAUSE
            continue
        if not number and not left and _utf16(chunk):
            raise DataError(f"{name_of(path)}:1: not UTF-8{_utf16(chunk)}; convert it first")
        if left and not left[-1].endswith(b"\r") and b"\n" not in chunk and b"\r" not in chunk:
            left.append(chunk)  # joined when the line ends, because it may have any length
            continue
        found = b"".join([*left, chunk]).splitlines(keepends=True)
        # the last line may go on, and a CR at its end may be the first half of CRLF
        left = [found.pop()] if not found[-1].endswith(b"\n") else []
        for line in found:
            number += 1
            yield Line(number, _decoded(line, path, number))
    if left:
        yield Line(number + 1, _decoded(b"".join(left), path, number + 1))


def _decoded(line: bytes, path: str, number: int) -> str:
    try:
        text = line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{name_of(path)}:{number}: not UTF-8 at byte {error.start} of the line; convert it") from None
    return text.lstrip(BOM) if number == 1 else text


def _utf16(content: bytes) -> str:
    return " (it is UTF-16)" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ""


def chunks(path: str) -> Iterator[bytes | Pause]:
    """The bytes of a file or of standard input; a pause when a pipe or a terminal has no more bytes for now.

    Raises:
        UsageError: the file cannot be opened or read.
    """
    try:
        with _opened(path) as descriptor:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                while chunk := os.read(descriptor, CHUNK):
                    yield chunk
            else:
                yield from _as_they_come(descriptor)
    except OSError as error:
        raise UsageError(f"{name_of(path)}: {error.strerror}") from None


@contextmanager
def _opened(path: str) -> Iterator[int]:
    if path == STDIN:
        yield 0  # sys.stdin has a lock, which a thread that waits for input would keep when the program ends
        return
    with Path(path).open("rb", buffering=0) as handle:
        yield handle.fileno()


def _as_they_come(descriptor: int) -> Iterator[bytes | Pause]:
    """The chunks of a pipe, read in a thread."""
    found: Queue[bytes | BaseException] = Queue(AHEAD)

    def pump() -> None:
        try:
            while chunk := os.read(descriptor, CHUNK):
                found.put(chunk)
            found.put(b"")
        except BaseException as error:  # of any kind, as too little memory: it is raised in the reader's thread
            found.put(error)

    Thread(target=pump, daemon=True).start()  # it may wait for input for ever
    while True:
        try:
            chunk = found.get_nowait()
        except Empty:
            yield PAUSE
            chunk = found.get()
        if isinstance(chunk, BaseException):
            raise chunk
        if not chunk:
            return
        yield chunk
