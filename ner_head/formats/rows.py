"""The rows of one CoNLL file, as documents of sentences: what is a row, and what is a mark, a comment or blank."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import regex

from ner_head.base.errors import DataError
from ner_head.formats.blocks import into_documents
from ner_head.formats.columns import Fields, Layout, Table, is_key, is_mark, split
from ner_head.formats.reading import RowKind, Tally
from ner_head.formats.tags import ELSEWHERE, is_tag

_HEADER = frozenset({"word", "words", "token", "tokens", "form"})
_LANGUAGE_PREFIX = regex.compile(r"(?:[a-z]{2,3}|simple)(?:-[a-z-]+)?:")  # of words in PAN-X


class Row(NamedTuple):
    """A word and its tag, as written."""

    line: int
    word: str
    cell: str
    joined: bool = False
    """Whether CoNLL-U says that the next word touches this one."""


@dataclass(slots=True)
class DocumentRows:
    """Sentences of rows, the last of them maybe empty; and rows whose word is blank."""

    sentences: list[list[Row]] = field(default_factory=lambda: [[]])
    blank_words: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class FileRows:
    """Reads the rows of one file."""

    path: Path
    table: Table
    layout: Layout
    tally: Tally
    documents: list[DocumentRows] = field(default_factory=lambda: [DocumentRows()])
    language_prefix: str = ""
    """The prefix that every word had, such as `cs:`; it is removed."""
    marked: bool = False
    """Whether a line says where a document begins."""

    def read(self, lines: list[str]) -> None:
        """Fill `documents`.

        Raises:
            DataError: file and line of a row with another number of fields than most, or no word in any row.
        """
        for number, line in enumerate(lines, 1):
            self.tally.rows[self._read(number, line)] += 1
        self._close()
        self._take_language_off()

    def cut(self, n_words: int) -> None:
        """Make documents of about so many words, at blank lines, of a file in which nothing marks them."""
        if self.marked:
            return
        (whole,) = self.documents
        parts = into_documents(filter(None, whole.sentences), n_words)
        self.documents = [DocumentRows(list(map(list, part))) for part in parts]
        ends = [part[-1][-1].line for part in parts[:-1]]
        for row in whole.blank_words:
            self.documents[bisect_left(ends, row.line)].blank_words.append(row)

    def rows(self) -> Iterator[Row]:
        """All rows with a word."""
        return chain.from_iterable(chain.from_iterable(document.sentences for document in self.documents))

    def _read(self, number: int, line: str) -> RowKind:
        sentences = self.documents[-1].sentences
        if not line or line.isspace():
            sentences.append([])
            return "blank"
        if ("DOCSTART" in line or line[0] == "#") and is_mark(line):
            self.marked = True
            if any(sentences):
                self.documents.append(DocumentRows())
            return "mark"
        fields = split(line, tabs=self.table.tabs)
        if line[0] == "#" and self._is_comment(line, fields):
            return "comment"
        if len(fields) != self.table.n_fields:
            fields = self._fitted(number, line, fields)
        if self.layout.is_no_word(fields):
            return "no word"
        joined = "SpaceAfter=No" in line and any("SpaceAfter=No" in field.split("|") for field in fields)
        row = Row(number, fields[self.layout.word], self.layout.tag_cell(fields), joined)
        if not row.word or row.word.isspace():
            self.documents[-1].blank_words.append(row)
            return "ignored"
        if row.word.lower() in _HEADER and not is_tag(row.cell) and not any(self.rows()):
            self.tally.notices.append(f"{self.path}:{number}: read as a header with the names of the columns")
            return "mark"
        sentences[-1].append(row)
        return "kept"

    def _is_comment(self, line: str, fields: Fields) -> bool:
        """A remark as CoNLL-U has them, or another one before a sentence; a word "#" has a tag."""
        if is_key(line):
            return True
        if self.documents[-1].sentences[-1]:
            return False
        if len(fields) == self.table.n_fields and self.layout.is_usual(fields):
            return False
        return line[1:2].isspace() or len(fields) == 1

    def _fitted(self, number: int, line: str, fields: Fields) -> Fields:
        """The row without empty fields behind its last column, or with the blank word that it begins with."""
        n_fields = self.table.n_fields
        if len(fields) > n_fields and not any(fields[n_fields:]):
            return fields[:n_fields]
        if not self.table.tabs and self.layout.word == 0 and len(fields) == n_fields - 1 and line[0].isspace():
            return ["", *fields]
        raise DataError(
            f"{self.path}:{number}: a row of {len(fields)} fields, but most have {n_fields}: {fields}; "
            "columns are separated by spaces, or by tabs if words contain spaces"
        )

    def _close(self) -> None:
        """Give the blank words behind the last document to it."""
        if any(self.documents[-1].sentences):
            return
        last = self.documents.pop()
        if not self.documents:
            raise DataError(f"{self.path}: no row with a word in column {self.layout.word + 1}; {ELSEWHERE}")
        self.documents[-1].blank_words += last.blank_words

    @property
    def language(self) -> str:
        """The language that stood before every word; "" if none did."""
        return self.language_prefix.removesuffix(":")

    def _take_language_off(self) -> None:
        first = next(self.rows(), None)
        found = _LANGUAGE_PREFIX.match(first.word) if first else None
        if found is None or not all(row.word.startswith(found[0]) for row in self.rows()):
            return
        self.language_prefix = found[0]
        for document in self.documents:
            for rows in document.sentences:
                rows[:] = [row._replace(word=row.word.removeprefix(found[0])) for row in rows]
