"""JSON Lines: a document a line, as this project or an annotation tool writes it (see `records`).

Only `text` is required. A record without annotations has no gold. Defaults: `id` is the line's number, `topic` the
file's stem, `language` "und".
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
from ner_head.formats.lines import is_blank, read_lines
from ner_head.formats.reading import Problem, Reading, Tally, Wanted
from ner_head.formats.records import Record, to_record
from ner_head.formats.tagged import TagReader, tagged_row

T = TypeVar("T")
R = TypeVar("R")

SHOWN = 20  # wrong lines of a file that an error lists


def read(source: Path, wanted: Wanted, tally: Tally) -> Iterator[Reading]:
    """Read every *.jsonl under the source, or the source itself if it is a file; blank lines are skipped.

    Documents of other languages than those wanted are left out, those of an unknown one are not; and so is what an
    annotator rejected.

    Raises:
        DataError: file and line of what is no document, and why.
    """
    unknown: dict[str, list[str]] = {}
    for path in files_under(source, [".jsonl"], tally):
        for number, record in _records(path, tally, glue=wanted.glue):
            for key in record.unknown:
                unknown.setdefault(key, []).append(f"{path}:{number}")
            if _is_taken(record, wanted, tally):
                yield record.document, record.problems if record.has_gold else (_without_gold(record),)
    if unknown:
        found = (f"{key!r} ({len(places):,} records, first {places[0]})" for key, places in unknown.items())
        tally.notices.append(f"keys that nothing reads: {', '.join(found)}")


def _is_taken(record: Record, wanted: Wanted, tally: Tally) -> bool:
    """Whether a record is a document of the corpus; both ways it is counted."""
    document = record.document
    tally.topics.add(document.topic)
    tally.languages.add(document.language)
    if record.answer in ("reject", "ignore"):
        why = f"answer {record.answer}"
    elif document.language == UNKNOWN_LANGUAGE or wanted.has_language(document.language):
        tally.rows["kept"] += 1
        return True
    else:
        why = f"language {document.language}, which is not in prepare.languages"
    tally.rows["left out"] += 1
    tally.left_out[why] += 1
    tally.mentions_left_out[why] += record.n_mentions
    return False


def _without_gold(record: Record) -> Problem:
    detail = f"keys that nothing reads: {', '.join(map(repr, record.unknown))}" if record.unknown else ""
    return Problem(record.document.key, "no annotations", detail=detail)


def _records(path: Path, tally: Tally, *, glue: bool) -> list[tuple[int, Record]]:
    """The records of a file with their lines.

    Raises:
        DataError: lines that are none.
    """
    lines = read_lines(path, tally)
    numbers = [number for number, line in enumerate(lines, 1) if not is_blank(line)]
    tally.rows["blank"] += len(lines) - len(numbers)
    wrong: dict[int, str] = {}
    contents = _each({number: lines[number - 1] for number in numbers}, json.loads, wrong)
    if numbers and (numbers[0] in wrong or isinstance(contents[numbers[0]], list)):
        _check_layout(path, numbers[0], lines)
    rows = {number: row for number, row in _each(contents, tagged_row, wrong).items() if row is not None}
    tags = TagReader(list(rows.values()), glue=glue)

    def record_of(number: int) -> Record:
        content, problems = tags.content(rows[number]) if number in rows else (contents[number], [])
        return to_record(content, {"id": str(number), "topic": path.stem}, problems)

    records = _each({number: number for number in contents if number not in wrong}, record_of, wrong)
    if wrong:
        shown = [f"{path}:{number}: not a document: {wrong[number]}" for number in sorted(wrong)[:SHOWN]]
        n_more = len(wrong) - SHOWN
        raise DataError("\n".join([*shown, *([f"{path}: {n_more:,} more lines like these"] * (n_more > 0))]))
    return list(records.items())


def _each(items: Mapping[int, T], read: Callable[[T], R], wrong: dict[int, str]) -> dict[int, R]:
    """What is read of each line's item; those that cannot be read go into `wrong` with the reason."""
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
    """Say so where a first line is none because the file is one array, or has records of several lines."""
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
