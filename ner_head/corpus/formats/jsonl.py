"""JSON Lines: a document a line, as this project or an annotation tool writes it (see `records`).

Only `text` is required. A record without annotations has no gold. Defaults: `id` is the line's number, `topic` the
file's stem, `language` "und".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ner_head.corpus.documents import UNKNOWN_LANGUAGE
from ner_head.corpus.formats.discovery import files_under
from ner_head.corpus.formats.lines import is_blank, read_lines
from ner_head.corpus.formats.reading import Problem, Reading, Tally, Wanted
from ner_head.corpus.formats.records import Record, to_record
from ner_head.errors import DataError

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
        for number, record in _records(path, tally):
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


def _records(path: Path, tally: Tally) -> list[tuple[int, Record]]:
    """The records of a file with their lines.

    Raises:
        DataError: lines that are none.
    """
    lines = read_lines(path, tally)
    records, wrong = [], []
    for number, line in enumerate(lines, 1):
        if is_blank(line):
            tally.rows["blank"] += 1
            continue
        try:
            records.append((number, to_record(json.loads(line), {"id": str(number), "topic": path.stem})))
        except RecursionError:
            wrong.append(f"{path}:{number}: not a document: nested too deeply")
        except ValueError as error:
            if not records and not wrong:
                _check_layout(path, number, lines)
            wrong.append(f"{path}:{number}: not a document: {error}")
    if wrong:
        n_more = len(wrong) - SHOWN
        raise DataError("\n".join([*wrong[:SHOWN], *([f"{path}: {n_more:,} more lines like these"] * (n_more > 0))]))
    return records


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
