"""SlavicNER: raw/TOPIC/LANGUAGE/NAME.txt, and ner/TOPIC/LANGUAGE/NAME.tsv with offsets into that file.

A row is start, end, surface, lemma, category, cross-lingual id; separated by tabs, no quoting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.formats.discovery import files_in, require_texts, topic_folders
from ner_head.corpus.formats.lines import is_blank, read_lines, read_text
from ner_head.corpus.formats.reading import Problem, Reading, Tally, Wanted
from ner_head.errors import DataError


def read(source: Path, wanted: Wanted, tally: Tally) -> Iterator[Reading]:
    """Read a corpus; the id of a document is its file's name without the suffix.

    A row whose surface is not what its offsets cover is a problem, and no span.

    Raises:
        DataError: file and line of a row that is not one.
    """
    require_texts(source / "raw", source / "ner", wanted, tally)
    for topic, language, folder in topic_folders(source / "raw", wanted, tally):
        tables = {path.stem: path for path in files_in(source / "ner" / topic / language, (".tsv",), tally)}
        for path in files_in(folder, (".txt",), tally):
            document = Document(path.stem, read_text(path, tally), language, topic)
            if table := tables.pop(path.stem, None):
                yield _annotated(document, table, tally)
            else:
                yield document, (Problem(document.key, "no annotations"),)
        for left in tables.values():
            raise DataError(f"{left}: annotates {left.stem}.txt, but {folder} has no such file")


def _annotated(document: Document, table: Path, tally: Tally) -> Reading:
    spans, problems = set(), []
    for number, line in enumerate(read_lines(table, tally), 1):
        if is_blank(line):
            tally.rows["blank"] += 1
            continue
        span, surface = _row(line.split("\t"), f"{table}:{number}")
        covered = document.text[span.start : span.end]
        if covered == surface:
            spans.add(span)
            tally.rows["kept"] += 1
        else:
            detail = f"{table.name}:{number}: [{span.start}, {span.end}) covers {covered!r}"
            problems.append(Problem(document.key, "surface differs", surface, detail))
            tally.rows["ignored"] += 1
    return replace(document, spans=tuple(sorted(spans))), tuple(problems)


def _row(fields: list[str], where: str) -> tuple[Span, str]:
    try:
        start, end, surface, _, label, *_ = fields
        span = Span(int(start), int(end), label)
    except ValueError:
        raise DataError(
            f"{where}: expected start, end, surface, lemma, category and id by tabs, got {fields}"
        ) from None
    if not 0 <= span.start < span.end or not label:
        raise DataError(f"{where}: expected 0 <= start < end and a category, got {fields}")
    return span, surface
