"""File and line of a position in a document."""

from __future__ import annotations

import json
from bisect import bisect_right
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

import regex

from ner_head.base.errors import NerHeadError
from ner_head.checks.findings import Place
from ner_head.corpus.documents import Document, Span
from ner_head.formats.lines import LINE_END, read_lines, read_text

Layout = Literal["text", "records", "rows"]
LAYOUTS: dict[str, Layout] = {"jsonl": "records", "conll": "rows"}
"""How the files of a format hold documents; all other formats have one text per file."""
SHOWN = 160  # characters of a sentence that a place shows
_FIELDS = regex.compile(r"[ \t]+")


class Places:
    """Finds lines of documents. The files are read again only where a place is asked for.

    Args:
        corpus_format: name of the corpus format.
    """

    def __init__(self, corpus_format: str) -> None:
        self.layout: Layout = LAYOUTS.get(corpus_format, "text")
        self._file: dict[str, Path] = {}
        self._members: dict[Path, list[Document]] = {}
        self._rows: dict[Path, dict[str, list[int]]] = {}
        # the last files only: findings are mostly in the order of the files
        self._texts = lru_cache(maxsize=16)(_line_starts)
        self._records = lru_cache(maxsize=4)(_record_lines)

    def add(self, document: Document, files: list[Path]) -> None:
        """Note the file of a document that was just read: the last one, or the last text beside annotations."""
        texts = [path for path in files[-2:] if "raw" in path.parts] if self.layout == "text" else []
        if files:
            path = (texts or files)[-1]
            self._file[document.key] = path
            self._members.setdefault(path, []).append(document)

    def file(self, document: Document) -> str:
        """The file of a document; its key if the file is not known."""
        return str(self._file.get(document.key, document.key))

    def at(self, document: Document, offset: int) -> str:
        """`FILE:LINE` of a character of a document; the file alone if the line cannot be found."""
        path = self._file.get(document.key)
        line = None
        if path is not None:
            with suppress(NerHeadError):
                line = getattr(self, f"_line_in_{self.layout}")(path, document, offset)
        return self.file(document) if line is None else f"{path}:{line}"

    def of_span(self, document: Document, span: Span) -> Place:
        """The place of a span, with its sentence."""
        return Place(
            self.at(document, span.start), document.key, sentence_around(document, span.start, span.end), span.label
        )

    def of_sentence(self, document: Document, number: int) -> Place:
        """The place of a sentence."""
        sentence = document.sentences[number]
        text = document.text[sentence.start : sentence.end]
        return Place(self.at(document, sentence.start), document.key, shortened(text))

    def _line_in_text(self, path: Path, document: Document, offset: int) -> int | None:
        content, starts = self._texts(path)
        begin = content.find(document.text)
        return bisect_right(starts, begin + offset) if begin >= 0 else None

    def _line_in_records(self, path: Path, document: Document, offset: int) -> int | None:
        return self._records(path).get(document.text)

    def _line_in_rows(self, path: Path, document: Document, offset: int) -> int | None:
        if path not in self._rows:
            self._rows[path] = _word_lines(path, self._members[path])
        words = [word for sentence in document.sentences for word in sentence.words]
        lines = self._rows[path].get(document.key, [])
        number = max(bisect_right([word.start for word in words], offset) - 1, 0)
        return lines[number] if number < len(lines) else None


def sentence_around(document: Document, start: int, end: int) -> str:
    """The sentences that a range of characters touches, shortened."""
    touched = [s for s in document.sentences if s.start < end and start < s.end]
    first = min([start, *(s.start for s in touched)])
    return shortened(document.text[first : max([end, *(s.end for s in touched)])])


def shortened(text: str) -> str:
    """A text on one line, cut after `SHOWN` characters."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _line_starts(path: Path) -> tuple[str, list[int]]:
    content = read_text(path)
    return content, [0, *(found.end() for found in LINE_END.finditer(content))]


def _record_lines(path: Path) -> dict[str, int]:
    """The line of each text of a file of records."""
    found: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), 1):
        with suppress(ValueError, AttributeError, RecursionError):
            record = json.loads(line)
            text = record[0] if isinstance(record, list) and record else record.get("text")
            if isinstance(text, str):
                found.setdefault(text, number)
    return found


def _word_lines(path: Path, documents: list[Document]) -> dict[str, list[int]]:
    """The line of each word of the documents of a CoNLL file: the next line with the word among its fields."""
    lines = enumerate(read_lines(path), 1)
    found: dict[str, list[int]] = {}
    for document in documents:
        mine = found.setdefault(document.key, [])
        for word in (word for sentence in document.sentences for word in sentence.words):
            number = next((n for n, line in lines if _holds(line, word.text)), None)
            if number is None:
                return found
            mine.append(number)
    return found


def _holds(line: str, word: str) -> bool:
    """Whether a row has a word as a field, also after a prefix such as `cs:`."""
    return any(field == word or field.endswith(f":{word}") for field in (*_FIELDS.split(line), *line.split("\t")))
