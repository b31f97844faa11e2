"""JSON Lines: one document per line, as this project or an annotation tool writes it (see `records`).

Only `text` is required. A record without a key for annotations has no gold. By default, `id` is the line number,
`topic` the file's stem, and `language` "und".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ner_head.base.errors import DataError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE
from ner_head.formats.discovery import files_under
from ner_head.formats.format import Format, SourceDocument
from ner_head.formats.lines import is_blank, read_lines
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem
from ner_head.formats.records import Record, to_record
from ner_head.formats.tagged import TagReader, tagged_row

T = TypeVar("T")
R = TypeVar("R")

SHOWN = 20  # number of invalid lines of a file that an error lists


def read(source: Path, options: ReaderOptions, log: ReaderLog) -> Iterator[SourceDocument]:
    """Read the source if it is a file, else each *.jsonl below it. Blank lines are skipped.

    Records in other languages than those of the options, and records that an annotator rejected, are left out.
    Records in an unknown language are kept.

    Raises:
        DataError: a line is not a document (names file, line and reason).
    """
    unknown: dict[str, list[str]] = {}
    for path in files_under(source, [".jsonl"], log):
        for number, record in _records(path, log, options):
            for key in record.unknown:
                unknown.setdefault(key, []).append(f"{path}:{number}")
            if _is_taken(record, options, log):
                yield SourceDocument(record.document, record.problems if record.has_gold else (_without_gold(record),))
    if unknown:
        found = (f"{key!r} ({len(places):,} records, first {places[0]})" for key, places in unknown.items())
        log.notices.append(f"keys that nothing reads: {', '.join(found)}")


FORMAT = Format("jsonl", read)


def _is_taken(record: Record, options: ReaderOptions, log: ReaderLog) -> bool:
    """Whether a record is a document of the corpus. The record is counted in the log."""
    document = record.document
    log.topics.add(document.topic)
    log.languages.add(document.language)
    if record.answer in ("reject", "ignore"):
        why = f"answer {record.answer}"
    elif document.language == UNKNOWN_LANGUAGE or options.includes_language(document.language):
        log.rows["kept"] += 1
        return True
    else:
        why = f"language {document.language}, which is not in prepare.languages"
    log.rows["left out"] += 1
    log.left_out[why] += 1
    log.mentions_left_out[why] += record.n_mentions
    return False


def _without_gold(record: Record) -> Problem:
    detail = f"keys that nothing reads: {', '.join(map(repr, record.unknown))}" if record.unknown else ""
    return Problem(record.document.key, "no annotations", detail=detail)


def _records(path: Path, log: ReaderLog, options: ReaderOptions) -> list[tuple[int, Record]]:
    """The records of a file with their line numbers.

    Raises:
        DataError: lines are not records.
    """
    lines = read_lines(path, log)
    numbers = [number for number, line in enumerate(lines, 1) if not is_blank(line)]
    log.rows["blank"] += len(lines) - len(numbers)
    wrong: dict[int, str] = {}
    contents = _each({number: lines[number - 1] for number in numbers}, json.loads, wrong)
    if numbers and (numbers[0] in wrong or isinstance(contents[numbers[0]], list)):
        _check_layout(path, numbers[0], lines)
    rows = {number: row for number, row in _each(contents, tagged_row, wrong).items() if row is not None}
    tags = TagReader(list(rows.values()), glue=options.glue)
    topic = path.stem if options.file_topics else ""

    def record_of(number: int) -> Record:
        content, problems = tags.content(rows[number]) if number in rows else (contents[number], [])
        return to_record(content, {"id": str(number), "topic": topic}, problems)

    records = _each({number: number for number in contents if number not in wrong}, record_of, wrong)
    if wrong:
        shown = [f"{path}:{number}: not a document: {wrong[number]}" for number in sorted(wrong)[:SHOWN]]
        n_more = len(wrong) - SHOWN
        raise DataError("\n".join([*shown, *([f"{path}: {n_more:,} more lines like these"] * (n_more > 0))]))
    return list(records.items())


def _each(items: Mapping[int, T], read: Callable[[T], R], wrong: dict[int, str]) -> dict[int, R]:
    """Apply `read` to the item of each line. Lines that fail are added to `wrong` with the reason."""
    found = {}
    for number, item in items.items():
        try:
            found[number] = read(item)
        except RecursionError:
            wrong[number] = "nested too deeply"
        except ValueError as error:
            wrong[number] = str(error)
    return found


def _check_layout(path: Path, number: int, lines: Sequence[str]) -> None:
    """Raise an error if the file is one JSON array, or if its first record spans several lines."""
    rest = "\n".join(lines[number - 1 :]).strip()
    expected = "one record a line is expected"
    with suppress(ValueError, RecursionError):
        content, end = json.JSONDecoder().raw_decode(rest)
        records = isinstance(content, list) and all(isinstance(record, dict) for record in content)
        if records and end == len(rest):
            where = "over several lines" if "\n" in rest else "on one line"
            raise DataError(f"{path}:{number}: one JSON array {where}; {expected}: jq -c '.[]' {path.name}")
        if isinstance(content, dict) and "\n" in rest[:end]:
            raise DataError(f"{path}:{number}: a record over several lines; {expected}: jq -c . {path.name}")
