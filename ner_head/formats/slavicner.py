"""SlavicNER: raw/TOPIC/LANGUAGE/NAME.txt, and ner/TOPIC/LANGUAGE/NAME.tsv with offsets into that file.

A row is start, end, surface, lemma, category, cross-lingual id; separated by tabs, no quoting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import regex

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.languages import tidy
from ner_head.formats.discovery import files_in, require_texts, topic_folders
from ner_head.formats.lines import BOM, is_blank, read_lines, read_text
from ner_head.formats.reading import Problem, Reading, Tally, Wanted

# characters that other programs leave out when they count
_UNCOUNTED = {"CR before LF": r"\r(?=\n)", "the byte order mark": rf"\A{BOM}"}


class Row(NamedTuple):
    """An annotation, as written."""

    line: int
    span: Span
    surface: str


def read(source: Path, wanted: Wanted, tally: Tally) -> Iterator[Reading]:
    """Read a corpus; the id of a document is its file's name without the suffix.

    A row whose surface is not what its offsets cover is a problem, and no span.

    Raises:
        DataError: file and line of a row that is not one, or annotations without a text.
    """
    require_texts(source / "raw", source / "ner", wanted, tally)
    for topic, language, folder in topic_folders(source / "raw", wanted, tally):
        tables = {path.stem: path for path in files_in(source / "ner" / topic / language, (".tsv",), tally)}
        for path in files_in(folder, (".txt",), tally):
            document = Document(path.stem, read_text(path, tally), tidy(language), topic)
            if table := tables.pop(path.stem, None):
                yield _annotated(document, table, tally)
            else:
                yield document, (Problem(document.key, "no annotations", detail=str(path)),)
        for left in tables.values():
            raise DataError(f"{left}: annotates {left.stem}.txt, but {folder} has no such file")


def _annotated(document: Document, table: Path, tally: Tally) -> Reading:
    lines = read_lines(table, tally)
    rows = [_row(number, line, table) for number, line in enumerate(lines, 1) if not is_blank(line)]
    spans, problems = set(), []
    for row in _counted_alike(document.text, rows, tally):
        covered = document.text[row.span.start : row.span.end]
        if covered == row.surface:
            spans.add(row.span)
        else:
            detail = f"{table.name}:{row.line}: [{row.span.start}, {row.span.end}) covers {covered!r}"
            problems.append(Problem(document.key, "surface differs", row.surface, detail))
    ignored = len(problems)
    tally.rows.update({"kept": len(rows) - ignored, "ignored": ignored, "blank": len(lines) - len(rows)})
    return replace(document, spans=tuple(sorted(spans))), tuple(problems)


def _row(number: int, line: str, table: Path) -> Row:
    fields = line.split("\t")
    where = f"{table}:{number}"
    try:
        start, end, surface, _, label, *_ = fields
        span = Span(int(start), int(end), label)
    except ValueError:
        raise DataError(
            f"{where}: expected start, end, surface, lemma, category and id by tabs, got {fields}"
        ) from None
    if not 0 <= span.start < span.end or not label:
        raise DataError(f"{where}: expected 0 <= start < end and a category, got {fields}")
    return Row(number, span, surface)


def _counted_alike(text: str, rows: Sequence[Row], tally: Tally) -> Sequence[Row]:
    """The rows with offsets into the exact text, if most of them fit a text without uncounted characters."""
    best, said = rows, ""
    most = sum(text[row.span.start : row.span.end] == row.surface for row in rows)
    for names in (["CR before LF"], ["the byte order mark"], list(_UNCOUNTED)) if most < len(rows) else ():
        dropped = {found.start() for name in names for found in regex.finditer(_UNCOUNTED[name], text)}
        kept = [position for position in range(len(text)) if position not in dropped]
        moved = [_moved(row, text, kept) for row in rows]
        fitting = sum(after is not row for row, after in zip(rows, moved, strict=True))
        if fitting > most:
            best, most = moved, fitting
            said = f"the offsets of some texts leave out {' and '.join(names)}; they were converted"
    if said and said not in tally.notices:
        tally.notices.append(said)
    return best


def _moved(row: Row, text: str, kept: Sequence[int]) -> Row:
    """A row by offsets into the kept characters as one into the text; the row itself if its surface is not there."""
    positions = kept[row.span.start : row.span.end]
    if "".join(text[position] for position in positions) != row.surface:
        return row
    span = replace(row.span, start=positions[0], end=positions[-1] + 1)
    return Row(row.line, span, text[span.start : span.end])
