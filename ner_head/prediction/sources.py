"""Documents to predict: from files and standard input in any format, one at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ner_head.base.errors import DataError, NerHeadError, UsageError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.formats import FORMATS, conll
from ner_head.formats.bsnlp import read_raw
from ner_head.formats.lines import is_blank
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.records import GOLD, to_record
from ner_head.formats.tagged import TAGS, TagReader, tagged_row
from ner_head.prediction.given_words import read_words
from ner_head.prediction.groups import Pause
from ner_head.prediction.lines import STDIN, name_of, read_lines, read_whole

PREDICTED = ("id", "topic", "language", "language_probability", "text", "spans", "readings")
"""Fields of a result, which a field of the input does not replace."""
SUFFIXES = {"text": (".txt",), "lines": (".txt",), "jsonl": (".jsonl",), "conll": conll.SUFFIXES}
"""Suffixes of the files of a folder that are read, by format. Other formats read a folder as a corpus."""
SOURCES = ("text", "lines", *FORMATS)
"""Names of the formats that can be read."""

Items = Iterator[Document | Pause]
Fail = Callable[[NerHeadError], None]


@dataclass(frozen=True)
class SourceOptions:
    """How the sources are read.

    Attributes:
        format: one of `SOURCES`.
        word_column: column of the words in CoNLL files, counted from 1; 0 to detect it.
    """

    format: str = "text"
    word_column: int = 0


def read_documents(paths: Iterable[str], options: SourceOptions, fail: Fail) -> Items:
    """Read the documents of all sources, in order; each source is opened when the one before is exhausted.

    Args:
        paths: files, folders of a corpus, and `-` for standard input.
        options: how they are read.
        fail: called with the error of a source or of a JSONL record. It raises the error, or returns to go on.
    """
    for path in paths:
        try:
            yield from _read(path, options, fail)
        except NerHeadError as error:
            fail(error)


def _read(path: str, options: SourceOptions, fail: Fail) -> Items:
    match options.format:
        case "text":
            yield Document(name_of(path), read_whole(path))
        case "lines":
            for line in read_lines(path):
                if isinstance(line, Pause):
                    yield line
                elif not is_blank(line.text):
                    yield Document(f"{name_of(path)}:{line.number}", line.text)
        case "jsonl":
            yield from _records(path, fail)
        case "conll":
            yield from read_words(path, column=options.word_column)
        case _:
            yield from _corpus(path, options.format)


def _records(path: str, fail: Fail) -> Items:
    """One document per JSON record. Annotations of the records are ignored."""
    for line in read_lines(path):
        if isinstance(line, Pause):
            yield line
        elif not is_blank(line.text):
            where = f"{name_of(path)}:{line.number}"
            try:
                yield record_document(json.loads(line.text), where)
            except RecursionError:
                fail(DataError(f"{where}: not a document: nested too deeply"))
            except ValueError as error:
                fail(DataError(f"{where}: not a document: {error}"))


def record_document(content: Any, name: str) -> Document:
    """The document of a JSON record, which has a text, or words (`tokens`). Other fields are kept as `extra`.

    Args:
        content: decoded JSON.
        name: id of a record without one.
    Raises:
        ValueError: the record is not a document.
    """
    extra = {}
    if isinstance(content, dict):
        extra = {key: value for key, value in content.items() if key not in PREDICTED}
        if type(content.get("id")) is int:
            extra["id"] = content["id"]
        content = {key: value for key, value in content.items() if key not in (*GOLD, *TAGS)}
    if (row := tagged_row(content)) is not None:
        content, _ = TagReader([row]).content(row)
    document = to_record(content, {"id": name, "topic": ""}).document
    return replace(document, spans=(), extra=extra)


def _corpus(path: str, form: str) -> Items:
    """The texts of a corpus that is a folder, with their topics and languages."""
    if path == STDIN:
        raise UsageError(f"--from {form}: is a folder, which standard input cannot be")
    if Path(path).is_file():
        if form != "bsnlp2019":
            raise UsageError(f"{name_of(path)}: --from {form} reads the folder of a corpus, and this is a file")
        yield read_raw(Path(path), topic="", language=UNKNOWN_LANGUAGE)
        return
    for found in FORMATS[form].read(Path(path), ReaderOptions(), ReaderLog()):
        yield replace(found.document, spans=())
