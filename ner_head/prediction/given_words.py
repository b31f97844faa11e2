"""Read CoNLL files for prediction: words and sentences are kept as given, tags are ignored, and may be absent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import regex

from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.formats.columns import SAMPLE, ColumnLayout, Fields, Table, find_layout, is_mark, look_at
from ner_head.formats.conll import Spacing, lay_out
from ner_head.formats.glue import has_compounds
from ner_head.formats.lines import is_blank
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import DOCUMENT_WORDS
from ner_head.formats.rows import FileRows
from ner_head.formats.tags import OUTSIDE
from ner_head.prediction.groups import PAUSE, Pause
from ner_head.prediction.lines import Line, name_of, read_lines

_ID = regex.compile(r"#\s*newdoc\s+id\s*=\s*(?P<id>.*\S)")


@dataclass(frozen=True, slots=True)
class WordsOnly(ColumnLayout):
    """The columns of a table without tags."""

    def tag_cell(self, row: Fields) -> str:
        """No word has a tag."""
        return OUTSIDE


def read_words(path: str, *, column: int = 0) -> Iterator[Document | Pause]:
    """Read documents from a CoNLL file or from standard input, as they come.

    A document ends before a document mark (`-DOCSTART-`, `# newdoc`), or, in a file without marks, at the first blank
    line after `DOCUMENT_WORDS` words. Its id is that of the mark, else the file's name and its number.

    Args:
        path: the file.
        column: column of the words, counted from 1; 0 to detect it.
    Raises:
        UsageError: the file cannot be opened, or there is no such column.
        DataError: a row has another number of fields than most (names file and line).
    """
    lines = read_lines(path)
    sample: list[Line] = []
    for line in lines:  # up to a pause, so that a slow pipe does not wait for the whole sample
        if isinstance(line, Pause):
            if any(not is_blank(each.text) and not is_mark(each.text) for each in sample):
                break
            yield PAUSE
            continue
        sample.append(line)
        if len(sample) >= SAMPLE:
            break
    table = look_at([line.text for line in sample])
    if table is None:
        return
    layout = find_words(table, name_of(path), column)
    number = 0
    for block in _blocks(chain(sample, lines)):
        if isinstance(block, Pause):
            yield PAUSE
        elif document := _document(block, name_of(path), table, layout, number + 1):
            number += 1
            yield document


def find_words(table: Table, name: str, column: int) -> ColumnLayout:
    """The columns of a table: the given one or, by default, the one beside the tags, or the first without numbers.

    Raises:
        UsageError: there is no such column.
    """
    if column > table.n_fields:
        raise UsageError(f"{name}: --word-column {column}: there are {table.n_fields} columns")
    rows = [row for rows in table.sentences for row in rows]
    try:
        return find_layout(rows, Path(name), number=table.number, word=column - 1)
    except DataError:  # no tags
        others = [c for c in range(table.n_fields) if c != table.number] or [0]
        changing = (c for c in others if len(rows) < 10 or len({row[c] for row in rows}) > 1)
        word = column - 1 if column else next(changing, others[0])
        return WordsOnly(word, word, table.number, ranges=table.number is not None)


def _blocks(lines: Iterator[Line | Pause]) -> Iterator[list[Line] | Pause]:
    """The lines of each document."""
    block: list[Line] = []
    marked, n_rows = False, 0
    for line in lines:
        if isinstance(line, Pause):
            yield PAUSE
            continue
        mark = is_mark(line.text)
        if (mark and n_rows) or (not marked and n_rows >= DOCUMENT_WORDS and is_blank(line.text)):
            yield block
            block, n_rows = [], 0
        marked = marked or mark
        block.append(line)
        n_rows += not (mark or is_blank(line.text))
    if block:
        yield block


def _document(block: Sequence[Line], name: str, table: Table, layout: ColumnLayout, number: int) -> Document | None:
    """The document of some lines; None if they have no words."""
    if all(is_blank(line.text) or is_mark(line.text) for line in block):
        return None
    rows = FileRows(Path(name), table, layout, ReaderLog())
    rows.read([line.text for line in block], first=block[0].number)
    (found,) = rows.documents
    words = list(rows.rows())
    spacing = Spacing(True, has_compounds([row.word for row in words]), any(row.joined for row in words))
    language = rows.language or UNKNOWN_LANGUAGE
    text, sentences = lay_out(found, language, spacing)
    ids = (_ID.match(line.text) for line in block)
    given = next((match["id"] for match in ids if match), f"{name}:{number}")
    return Document(given, text, language, sentences=sentences)
