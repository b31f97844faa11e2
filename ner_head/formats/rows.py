"""Parse the lines of one CoNLL file into documents of sentences of rows.

Other lines are document marks, comments and blank lines.
"""

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
from ner_head.formats.columns import ColumnLayout, Fields, Table, is_key, is_mark, split
from ner_head.formats.log import ReaderLog, RowKind
from ner_head.formats.tags import COLUMNS_HINT, is_tag

_HEADER = frozenset({"word", "words", "token", "tokens", "form"})
_LANGUAGE_PREFIX = regex.compile(r"(?:[a-z]{2,3}|simple)(?:-[a-z-]+)?:")  # before each word in PAN-X
_SPACES = regex.compile(r"(?:^|[\t|])Spaces(?P<place>Before|After)=(?P<value>[^|\t]*)")
_ESCAPE = regex.compile(r"\\(.)")
_ESCAPED = {"s": " ", "t": "\t", "n": "\n", "r": "\r", "p": "|"}


def spaces(line: str, place: str) -> str | None:
    r"""The white space that the feature `SpacesBefore` or `SpacesAfter` of a row gives; None if it has none.

    UDPipe (https://ufal.mff.cuni.cz/udpipe/1/users-manual) writes a space as `\s`, a vertical bar as `\p`, a backslash
    as `\\`, and `\t`, `\n` and `\r`.
    """
    found = _SPACES.search(line)
    while found is not None and found["place"] != place:
        found = _SPACES.search(line, found.end())
    if found is None:
        return None
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), found["value"])


class WordRow(NamedTuple):
    """A word and its tag, as written in the file."""

    line: int
    word: str
    cell: str
    joined: bool = False
    """Whether the next word follows without a space (`SpaceAfter=No` of CoNLL-U)."""
    before: str = ""
    """White space before the first word of a text (`SpacesBefore` of UDPipe)."""
    after: str | None = None
    """White space after the word (`SpacesAfter` of UDPipe); None if the file does not say it."""


@dataclass(slots=True)
class RowDocument:
    """The rows of one document."""

    sentences: list[list[WordRow]] = field(default_factory=lambda: [[]])
    """Sentences of rows. Sentences may be empty."""
    blank_words: list[WordRow] = field(default_factory=list)
    """Rows whose word is blank."""


@dataclass(slots=True)
class FileRows:
    """The rows of one file."""

    path: Path
    table: Table
    layout: ColumnLayout
    log: ReaderLog
    documents: list[RowDocument] = field(default_factory=lambda: [RowDocument()])
    language_prefix: str = ""
    """Prefix that was removed from every word, such as `cs:`; "" if there was none."""
    marked: bool = False
    """Whether the file has document marks."""

    def read(self, lines: list[str], *, first: int = 1) -> None:
        """Parse the lines of the file into `documents`.

        Args:
            lines: the lines.
            first: number of the first line, if they are a part of the file.
        Raises:
            DataError: a row has another number of fields than most (names file and line), or no row has a word.
        """
        for number, line in enumerate(lines, first):
            self.log.rows[self._read(number, line)] += 1
        self._close()
        self._remove_language_prefix()

    def cut(self, n_words: int) -> None:
        """Split a file without document marks into documents of about `n_words` words, at blank lines."""
        if self.marked:
            return
        (whole,) = self.documents
        parts = into_documents(filter(None, whole.sentences), n_words)
        self.documents = [RowDocument(list(map(list, part))) for part in parts]
        ends = [part[-1][-1].line for part in parts[:-1]]
        for row in whole.blank_words:
            self.documents[bisect_left(ends, row.line)].blank_words.append(row)

    def rows(self) -> Iterator[WordRow]:
        """All rows with a word, in order."""
        return chain.from_iterable(chain.from_iterable(document.sentences for document in self.documents))

    def _read(self, number: int, line: str) -> RowKind:
        sentences = self.documents[-1].sentences
        if not line or line.isspace():
            sentences.append([])
            return "blank"
        if ("DOCSTART" in line or line[0] == "#") and is_mark(line):
            self.marked = True
            if any(sentences):
                self.documents.append(RowDocument())
            return "mark"
        fields = split(line, tabs=self.table.tabs)
        if line[0] == "#" and self._is_comment(line, fields):
            return "comment"
        if len(fields) != self.table.n_fields:
            fields = self._fitted(number, line, fields)
        if self.layout.is_no_word(fields):
            return "no word"
        joined = "SpaceAfter=No" in line and any("SpaceAfter=No" in field.split("|") for field in fields)
        row = WordRow(number, fields[self.layout.word], self.layout.tag_cell(fields), joined)
        if "Spaces" in line:
            row = row._replace(before=spaces(line, "Before") or "", after=spaces(line, "After"))
        if not row.word or row.word.isspace():
            self.documents[-1].blank_words.append(row)
            return "ignored"
        if row.word.lower() in _HEADER and not is_tag(row.cell) and not any(self.rows()):
            self.log.notices.append(f"{self.path}:{number}: read as a header with the names of the columns")
            return "mark"
        sentences[-1].append(row)
        return "kept"

    def _is_comment(self, line: str, fields: Fields) -> bool:
        """Whether a line that begins with # is a comment: `# key = value`, or no row and before a sentence."""
        if is_key(line):
            return True
        if self.documents[-1].sentences[-1]:
            return False
        if len(fields) == self.table.n_fields and self.layout.is_usual(fields):
            return False
        return line[1:2].isspace() or len(fields) == 1

    def _fitted(self, number: int, line: str, fields: Fields) -> Fields:
        """Fix the number of fields: drop empty fields at the end, or add the blank word that the row begins with.

        Raises:
            DataError: the number of fields is wrong for another reason.
        """
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
        """Remove an empty last document and give its blank words to the document before it."""
        if any(self.documents[-1].sentences):
            return
        last = self.documents.pop()
        if not self.documents:
            raise DataError(f"{self.path}: no row with a word in column {self.layout.word + 1}; {COLUMNS_HINT}")
        self.documents[-1].blank_words += last.blank_words

    @property
    def language(self) -> str:
        """The language in the prefix of every word; "" if there is none."""
        return self.language_prefix.removesuffix(":")

    def _remove_language_prefix(self) -> None:
        first = next(self.rows(), None)
        found = _LANGUAGE_PREFIX.match(first.word) if first else None
        if found is None or not all(row.word.startswith(found[0]) for row in self.rows()):
            return
        self.language_prefix = found[0]
        for document in self.documents:
            for rows in document.sentences:
                rows[:] = [row._replace(word=row.word.removeprefix(found[0])) for row in rows]
