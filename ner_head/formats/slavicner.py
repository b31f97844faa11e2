"""SlavicNER: raw/TOPIC/LANGUAGE/NAME.txt, and ner/TOPIC/LANGUAGE/NAME.tsv with offsets into that file.

A row has the fields start, end, surface, lemma, category and cross-lingual id, separated by tabs, without quoting.
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
from ner_head.formats.format import Format, SourceDocument
from ner_head.formats.lines import BOM, is_blank, read_lines, read_text
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem

# characters that some programs do not count
_UNCOUNTED = {"CR before LF": r"\r(?=\n)", "the byte order mark": rf"\A{BOM}"}


class OffsetRow(NamedTuple):
    """One row of an annotation file."""

    line: int
    span: Span
    surface: str


def read(source: Path, options: ReaderOptions, log: ReaderLog) -> Iterator[SourceDocument]:
    """Read a corpus. The id of a document is its file name without the suffix.

    A row whose surface differs from the text that its offsets cover gives a problem and no span.

    Raises:
        DataError: a row is malformed (names file and line), or an annotation file has no raw file.
    """
    require_texts(source / "raw", source / "ner", options, log)
    for topic, language, folder in topic_folders(source / "raw", options, log):
        tables = {path.stem: path for path in files_in(source / "ner" / topic / language, (".tsv",), log)}
        for path in files_in(folder, (".txt",), log):
            document = Document(path.stem, read_text(path, log), tidy(language), topic)
            if table := tables.pop(path.stem, None):
                yield _annotated(document, table, log)
            else:
                yield SourceDocument(document, (Problem(document.key, "no annotations", detail=str(path)),))
        for left in tables.values():
            raise DataError(f"{left}: annotates {left.stem}.txt, but {folder} has no such file")


FORMAT = Format("slavicner", read)


def _annotated(document: Document, table: Path, log: ReaderLog) -> SourceDocument:
    lines = read_lines(table, log)
    rows = [_row(number, line, table) for number, line in enumerate(lines, 1) if not is_blank(line)]
    spans, problems = set(), []
    for row in _with_exact_offsets(document.text, rows, log):
        covered = document.text[row.span.start : row.span.end]
        if covered == row.surface:
            spans.add(row.span)
        else:
            detail = f"{table.name}:{row.line}: [{row.span.start}, {row.span.end}) covers {covered!r}"
            problems.append(Problem(document.key, "surface differs", row.surface, detail))
    ignored = len(problems)
    log.rows.update({"kept": len(rows) - ignored, "ignored": ignored, "blank": len(lines) - len(rows)})
    return SourceDocument(replace(document, spans=tuple(sorted(spans))), tuple(problems))


def _row(number: int, line: str, table: Path) -> OffsetRow:
    fields = line.split("\t")
    where = f"{table}:{number}"
    try:
        start, end, surface, lemma, label, *rest = fields
        entity = rest[0] if rest else ""
        span = Span(int(start), int(end), label, lemma=lemma.strip() or None, entity=entity.strip() or None)
    except ValueError:
        raise DataError(
            f"{where}: expected start, end, surface, lemma, category and id by tabs, got {fields}"
        ) from None
    if not 0 <= span.start < span.end or not label:
        raise DataError(f"{where}: expected 0 <= start < end and a category, got {fields}")
    return OffsetRow(number, span, surface)


def _with_exact_offsets(text: str, rows: Sequence[OffsetRow], log: ReaderLog) -> Sequence[OffsetRow]:
    """The rows, converted if more surfaces match when the offsets do not count CR or the byte order mark."""
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
    if said and said not in log.notices:
        log.notices.append(said)
    return best


def _moved(row: OffsetRow, text: str, kept: Sequence[int]) -> OffsetRow:
    """A row with offsets into the whole text; the same row if its surface does not match.

    Args:
        row: a row with offsets into the counted characters.
        text: the whole text.
        kept: positions in the text of the counted characters.
    """
    positions = kept[row.span.start : row.span.end]
    if "".join(text[position] for position in positions) != row.surface:
        return row
    span = replace(row.span, start=positions[0], end=positions[-1] + 1)
    return OffsetRow(row.line, span, text[span.start : span.end])
