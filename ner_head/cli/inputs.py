"""Read the texts of a command, from files, standard input and options."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document


def read_texts(files: list[str] | None, texts: list[str] | None) -> list[Document]:
    """Read the input texts, one document each. Texts are exact, including line ends. Texts without words are reported.

    Raises:
        UsageError: there is no text, a text is given twice or is not UTF-8, or a file cannot be read.
        DataError: a file is not UTF-8.
    """
    from ner_head.corpus.documents import Document

    if not files and not texts:
        raise UsageError("nothing to read: give files, - for standard input, or --text")
    names = [f"text-{number}" for number in range(1, len(texts or []) + 1)]
    names += [os.fsencode(name).decode(errors="backslashreplace") for name in files or []]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"{twice[0]}: given twice; every text needs an id of its own")
    contents = [_option_text(number, text) for number, text in enumerate(texts or [], 1)]
    contents += [_file_text(name) for name in files or []]
    for name, text in zip(names, contents, strict=True):
        if not text.strip():
            tell(f"ner-head: {name}: no text in it")
    return [Document(id=name, text=text) for name, text in zip(names, contents, strict=True)]


def _option_text(number: int, text: str) -> str:
    """Check a text of the command line, in which bytes that are not UTF-8 are lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"--text {number}: not UTF-8 at character {error.start}; give a file in UTF-8") from None
    return text


def _file_text(name: str) -> str:
    """The text of a file or of standard input."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        utf16 = " (it is UTF-16)" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ""
        raise DataError(f"{name}: not UTF-8 at byte {error.start}{utf16}; convert it first") from None
