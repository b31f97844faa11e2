"""Columns of CoNLL files: split rows into fields, and detect the columns of words and tags.

Columns are counted from 0 in the code and from 1 in messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import regex

from ner_head.base.errors import DataError, UsageError
from ner_head.formats.options import ReaderOptions
from ner_head.formats.tags import COLUMNS_HINT, OUTSIDE, is_plain, is_tag, label_of

Fields: TypeAlias = list[str]

SAMPLE = 2_000  # number of rows of a file that the columns are detected from
# chunk labels of CoNLL-2000 and 2003 (English and German) and LST20
_CHUNK = regex.compile(r"NP|VP|PP|AD[VJ]P|SBAR|PRT|CONJP|INTJ|LST|UCP|NC|VC|PC|CLS")
_ANY = regex.compile(r".+")
_NUMBER = regex.compile(r"(?P<first>\d+)(?P<more>[-.]\d+)?")  # 1, 1-2, 1.1
_ID = regex.compile(r"(?:[\w.:-]*[-_.:]\p{L}{0,3})?(?P<last>\d+)[.)]?")  # 1., s1-1, d1.s1.t1
_FEATURE = regex.compile(r"(?:^|\|)(?:name|ner|ne|entity)=(?P<tag>[^|\s]+)", regex.IGNORECASE)
_RUN = regex.compile(r"[ \t]+")
_MARK = regex.compile(r"(?:\d+[ \t]+)?(?:-+DOCSTART-+|# ?-*DOCSTART-*)(?![^\s])|#\s*newdoc\b")
_KEY = regex.compile(r"#\s*[\w.:\[\]-]+\s*=(?:\s|$)|#\s*newpar\b")


def is_mark(line: str) -> bool:
    """Whether a line marks the start of a document: -DOCSTART- (also after a number), #DOCSTART or # newdoc."""
    return _MARK.match(line) is not None


def is_key(line: str) -> bool:
    """Whether a line is a CoNLL-U comment, `# key = value`. No row has this form."""
    return line[0] == "#" and _KEY.match(line) is not None


def split(line: str, *, tabs: bool) -> Fields:
    """Split a row into fields, at single tabs (fields may contain spaces) or at runs of spaces and tabs."""
    return [cell.strip(" ") for cell in line.split("\t")] if tabs else _RUN.split(line.strip(" \t"))


@dataclass(frozen=True, slots=True)
class Table:
    """How the rows of one file are split into fields, and a sample of its sentences."""

    tabs: bool
    """Whether fields are separated by single tabs, else by runs of spaces and tabs."""
    n_fields: int
    """Number of fields of most rows."""
    sentences: list[list[Fields]]
    """The first sentences, without rows that have another number of fields."""
    number: int | None
    """Column that numbers the words of a sentence; None if there is none."""


def look_at(lines: Iterable[str]) -> Table | None:
    """Detect the table from the first rows of a file; None if it has no rows."""
    sentences: list[list[str]] = [[]]
    rows = (line for line in lines if not line.startswith("#") and not is_mark(line))
    for line in islice(rows, SAMPLE):
        if not line or line.isspace():
            sentences.append([])
        else:
            sentences[-1].append(line)
    found = [_table(sentences, tabs=tabs) for tabs in (True, False)] if any(sentences) else []
    if not found:
        return None
    (tab_table, regular), (run_table, run_regular) = found
    n_tabs = sum("\t" in line for lines in sentences for line in lines)
    n_rows = sum(map(len, sentences))
    return tab_table if 2 * n_tabs > n_rows and (regular or not run_regular) else run_table


def _table(sentences: list[list[str]], *, tabs: bool) -> tuple[Table, bool]:
    """Build a table, and say whether all rows have the same number of fields."""
    rows_of = [[split(line, tabs=tabs) for line in lines] for lines in sentences if lines]
    counts = Counter(len(row) for rows in rows_of for row in rows)
    n_fields = counts.most_common(1)[0][0]
    kept = [[row for row in rows if len(row) == n_fields] for rows in rows_of]
    kept = [rows for rows in kept if rows]
    number = next((column for column in range(n_fields - 1) if n_fields > 2 and _is_number(kept, column)), None)
    return Table(tabs, n_fields, kept, number), len(counts) == 1


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The columns of words and tags in a table."""

    word: int
    """Column of the words."""
    tag: int
    """Column of the tags."""
    number: int | None = None
    """Column that numbers the words of a sentence; None if there is none."""
    ranges: bool = False
    """Whether the numbers are those of CoNLL-U, where rows numbered `1-2` and `1.1` are not words."""
    feature: bool = False
    """Whether the tag is one of several features in its column, as in `name=B-PER|SpaceAfter=No`."""
    labels: frozenset[str | None] = frozenset()
    """Labels in the sample."""
    others: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Cells of each other column in the sample."""
    why: tuple[str, ...] = ()
    """Remarks about other columns that explain the choice."""

    def tag_cell(self, row: Fields) -> str:
        """The tag of a row as written; O if the tag column has features and none of them is a tag."""
        cell = row[self.tag]
        if not self.feature or is_tag(cell):
            return cell
        found = _FEATURE.search(cell)
        return found["tag"] if found else OUTSIDE

    def is_usual(self, row: Fields) -> bool:
        """Whether a row resembles those of the sample.

        Its tag must be O or have a known label, and a cell of another column must be known or repeat the word.
        """
        cell = self.tag_cell(row)
        known = not self.others or any(row[c] in cells or row[c] == row[self.word] for c, cells in self.others.items())
        return known and (cell == OUTSIDE or (is_tag(cell) and label_of(cell) in self.labels))

    def is_no_word(self, row: Fields) -> bool:
        """Whether the row is a multiword token range (1-2) or an empty node (1.1) of CoNLL-U."""
        found = _NUMBER.fullmatch(row[self.number]) if self.ranges and self.number is not None else None
        return found is not None and found["more"] is not None


@dataclass(slots=True)
class ColumnLayouts:
    """The layouts of all tables in a corpus.

    Tables with the same number of columns and the same numbering column share one layout.
    """

    options: ReaderOptions
    samples: dict[tuple[int, int | None], list[list[Fields]]] = field(default_factory=dict)
    found: dict[tuple[int, int | None], ColumnLayout] = field(default_factory=dict)

    def add(self, table: Table) -> None:
        """Add the sample of a file, unless there are enough rows already."""
        sentences = self.samples.setdefault((table.n_fields, table.number), [])
        if sum(map(len, sentences)) < 10 * SAMPLE:
            sentences.extend(table.sentences)

    def of(self, table: Table, path: Path) -> ColumnLayout:
        """The layout of a file.

        Raises:
            UsageError: `prepare.columns` names a column that the file does not have.
            DataError: there is no tag column, or there are several.
        """
        key = table.n_fields, table.number
        if key not in self.found:
            asked = self.options.word_column, self.options.tag_column
            if max(asked) > table.n_fields:
                raise UsageError(
                    f"prepare.columns: {path} has {table.n_fields} columns, there is no column {max(asked)}"
                )
            rows = [row for rows in self.samples.get(key, table.sentences) for row in rows]
            self.found[key] = find_layout(rows, path, number=table.number, word=asked[0] - 1, tag=asked[1] - 1)
        return self.found[key]


def find_layout(
    rows: Sequence[Fields], path: Path, *, number: int | None = None, word: int = -1, tag: int = -1
) -> ColumnLayout:
    """Detect the columns of words and tags.

    The word column is the first column that does not hold the tags, does not number the words, and is not constant.

    Args:
        rows: sample of rows.
        path: file to name in errors.
        number: column that numbers the words, if there is one.
        word: column of the words; negative to detect it.
        tag: column of the tags; negative to detect it.
    Raises:
        DataError: there is no tag column, or there are several.
    """
    number = None if number in (word, tag) else number
    why = [] if number is None else [f"column {number + 1} numbers the words"]
    left = [column for column in range(len(rows[0])) if column not in {word, tag, number}]
    if tag < 0:
        tag, note = _tag_column(rows, left, path, words_known=word >= 0)
        why += [note] if note else []
    if word < 0:
        words = [column for column in left if column != tag]
        changing = (column for column in words if len(rows) < 10 or len({row[column] for row in rows}) > 1)
        word = next(changing, next(iter(words), -1))
    if word < 0:
        raise DataError(
            f"{path}: no column of words beside the tags in column {tag + 1}, as in {rows[0]}; {COLUMNS_HINT}"
        )
    feature = any(_FEATURE.search(row[tag]) and _label(row[tag]) is not None for row in rows)
    ranges = number is not None and 2 * sum(row[number].isdecimal() for row in rows) >= len(rows)
    labels = frozenset(_label(row[tag]) for row in rows)
    others = {c: frozenset(row[c] for row in rows) for c in range(len(rows[0])) if c not in (word, tag, number)}
    return ColumnLayout(word, tag, number, ranges, feature, labels, others, tuple(why))


def _is_number(sentences: Sequence[Sequence[Fields]], column: int) -> bool:
    """Whether a column numbers the rows of each sentence, with or without the ranges and empty nodes of CoNLL-U."""
    cells = [[row[column] for row in rows] for rows in sentences]
    words = [[cell for cell in rows if not (found := _NUMBER.fullmatch(cell)) or not found["more"]] for rows in cells]
    return _counts(words) or _counts(cells)


def _counts(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether cells are consecutive numbers that start at 0 or 1, or continue from the sentence before."""
    n_rows, n_right, last = 0, 0, -1
    for cells in sentences:
        for position, cell in enumerate(cells):
            found = _ID.fullmatch(cell)
            if found is None:
                return False
            number = int(found["last"])
            n_right += number == last + 1 or (position == 0 and number in {0, 1})
            n_rows, last = n_rows + 1, number
    return n_rows > 0 and 10 * n_right >= 9 * n_rows


def _tag_column(rows: Sequence[Fields], columns: Sequence[int], path: Path, *, words_known: bool) -> tuple[int, str]:
    """The tag column, and remarks about the other columns."""
    cells = {column: Counter(row[column] for row in rows) for column in columns}
    tagged = [column for column in columns if 2 * _n_tags(cells[column]) >= len(rows)]
    chunks = [c for c in tagged if 10 * _n_labels(cells[c], _CHUNK) > 9 * _n_labels(cells[c])]
    if len(tagged) > len(chunks) > 0:
        tagged = [column for column in tagged if column not in chunks]
        notes = [f"column {column + 1} holds chunks" for column in chunks]
    else:
        notes = []
    tagged = [column for column in tagged if _n_labels(cells[column])] or tagged[-1:]
    outer = max(tagged, key=lambda column: _n_labels(cells[column]), default=-1)
    for column in tagged:
        if column == outer:
            continue
        if any(_label(row[column]) and not _label(row[outer]) for row in rows):
            shown = " and ".join(str(column + 1) for column in sorted((outer, column)))
            raise DataError(
                f"{path}: columns {shown} hold tags, as in {rows[0]}; set prepare.columns: {{tag: N}} (counted from 1)"
            )
        notes.append(f"column {column + 1} holds nested tags")
    if outer < 0:
        outer = _plain_column(cells, columns if words_known else columns[1:])
    if outer < 0:
        raise DataError(f"{path}: no column looks like tags, as in {rows[0]}; {COLUMNS_HINT}")
    return outer, ", ".join(notes)


def _label(cell: str) -> str | None:
    """The label of a tag or of a feature that is a tag; "" for O; None if the cell is neither."""
    found = _FEATURE.search(cell)
    tag = found["tag"] if found else cell
    return label_of(tag) if is_tag(tag) else None


def _n_tags(cells: Counter[str]) -> int:
    """Number of rows with a tag. In a column of features with tags, these are all rows."""
    if any(_FEATURE.search(cell) and _label(cell) is not None for cell in cells):
        return cells.total()
    return sum(n for cell, n in cells.items() if _label(cell) is not None)


def _n_labels(cells: Counter[str], of: regex.Pattern[str] = _ANY) -> int:
    """Number of rows with a label that matches the pattern."""
    return sum(n for cell, n in cells.items() if (label := _label(cell)) and of.fullmatch(label))


def _plain_column(cells: dict[int, Counter[str]], columns: Sequence[int]) -> int:
    """The column with most O among those of labels without positions; -1 if there is none."""
    plain = [
        column
        for column in columns
        if 2 * sum(n for cell, n in cells[column].items() if is_plain(cell)) > cells[column].total()
        and OUTSIDE in cells[column]
    ]
    return max(plain, key=lambda column: cells[column][OUTSIDE], default=-1)
