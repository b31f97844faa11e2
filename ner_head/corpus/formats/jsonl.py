"""Our own records, one a line (documents.to_json). Only `text` is required.

`spans` are [start, end, label] or, as `ner-head predict` prints them, {"start", "end", "label"}; a probability of a
predicted one is passed over. A record without spans has no gold. Defaults: `id` is the line's number, `topic` the
file's stem, `language` "und".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, from_json
from ner_head.corpus.formats.discovery import files_under
from ner_head.corpus.formats.lines import is_blank, read_lines
from ner_head.corpus.formats.reading import Problem, Reading, Tally, Wanted
from ner_head.errors import DataError


def read(source: Path, wanted: Wanted, tally: Tally) -> Iterator[Reading]:
    """Read every *.jsonl under the source, or the source itself if it is a file; blank lines are skipped.

    Documents of other languages than those wanted are left out, those of an unknown one are not.

    Raises:
        DataError: file and line of what is not a record, and why.
    """
    for path in files_under(source, [".jsonl"]):
        for number, line in enumerate(read_lines(path, tally), 1):
            if is_blank(line):
                tally.rows["blank"] += 1
                continue
            try:
                document, has_gold = _document(json.loads(line), {"id": str(number), "topic": path.stem})
            except (ValueError, KeyError, TypeError) as error:
                what = f"no {error}" if isinstance(error, KeyError) else error
                raise DataError(f"{path}:{number}: not a document: {what}") from None
            tally.topics.add(document.topic)
            if document.language == UNKNOWN_LANGUAGE or wanted.has_language(document.language):
                tally.rows["kept"] += 1
                yield document, () if has_gold else (Problem(document.key, "no annotations"),)
            else:
                tally.rows["ignored"] += 1


def _document(record: Any, defaults: dict[str, str]) -> tuple[Document, bool]:
    if not isinstance(record, dict):
        raise ValueError(f"expected an object, got {type(record).__name__}")
    given = {name: value for name, value in record.items() if value is not None}
    for name in ("id", "topic", "language", "text"):
        if not isinstance(given.get(name, ""), str):
            raise ValueError(f"{name} must be a string, got {given[name]!r}")
    given["text"].encode()  # a lone surrogate is a ValueError
    spans = [_triple(span) for span in given.get("spans", [])]
    for words in given.get("sentences", []):
        _check_words(words)
    return from_json({**defaults, **given, "spans": spans}), "spans" in given


def _triple(span: Any) -> tuple[int, int, str]:
    start, end, label, *probability = (span["start"], span["end"], span["label"]) if isinstance(span, dict) else span
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label or probability[1:]:
        raise ValueError(f"a span must be [start, end, label] with whole numbers, got {span!r}")
    return start, end, label


def _check_words(words: Any) -> None:
    offsets = list(chain.from_iterable(words))
    if not offsets or any(len(word) != 2 for word in words) or any(type(offset) is not int for offset in offsets):
        raise ValueError(f"a sentence must be a list of words [start, end], got {words!r:.60}")
    if any(before[1] > after[0] for before, after in pairwise(words)):
        raise ValueError("words of a sentence overlap or are out of order")
