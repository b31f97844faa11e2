"""doccano's JSONL of sequence labeling projects.

A line is `{"id": 1, "text": "...", "label": [[start, end, "PER"], ...]}`; a project with relations exports `entities`
and `relations` instead. The offsets count UTF-16 code units: the editor takes them from strings of JavaScript
(https://github.com/doccano/doccano/issues/2290, and `Text` in https://github.com/doccano/v-annotator), and export and
import do not change them. A project that counts grapheme clusters as one character exports those: `offsets` says so.
Other keys of a line are metadata, which doccano exports as it imported them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ner_head.base.errors import DataError
from ner_head.conversion.offsets import COUNTS, utf16
from ner_head.conversion.tool import Losses, Options, Tool
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.formats.lines import is_blank, read_lines
from ner_head.formats.records import GOLD, to_record

IGNORED = ("Comments", "relations", "cats")


def read(path: Path, options: Options, losses: Losses) -> Iterator[Document]:
    """Read the documents of a file.

    Raises:
        DataError: a line is not a document (names file and line).
    """
    for number, line in enumerate(read_lines(path), 1):
        if is_blank(line):
            continue
        try:
            yield _document(json.loads(line), {"id": str(number), "topic": ""}, options, losses)
        except RecursionError:
            raise DataError(f"{path}:{number}: not a document: nested too deeply") from None
        except ValueError as error:
            raise DataError(f"{path}:{number}: not a document of doccano: {error}") from None


def _document(content: Any, defaults: dict[str, str], options: Options, losses: Losses) -> Document:
    """The document of a line.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(content, dict):
        raise ValueError(f"expected an object, got {type(content).__name__}")
    if "text" not in content and isinstance(content.get("data"), str):
        content = {**content, "text": content["data"]}
    text = content.get("text")
    if isinstance(text, str):
        units = COUNTS[options.offsets](text)
        content |= {
            key: [_in_characters(item, units.to_character) for item in content[key]]
            for key in GOLD
            if isinstance(content.get(key), list)
        }
    record = to_record({key: value for key, value in content.items() if key not in IGNORED}, defaults)
    document = record.document
    for relation in content.get("relations") or []:
        losses.add(document.key, "relation", detail=str(relation))
    for comment in content.get("Comments") or []:
        losses.add(document.key, "attribute", detail=f"comment: {comment}")
    if not record.has_gold:
        losses.notice("documents without a key for labels are taken as documents without entities")
    return document


def _in_characters(item: Any, to_character: Any) -> Any:
    """A span with offsets in characters; a malformed one is unchanged, and the reader of records reports it."""
    if isinstance(item, list) and len(item) == 3 and type(item[0]) is type(item[1]) is int:
        return [to_character(item[0]), to_character(item[1]), item[2]]
    if isinstance(item, dict):
        keys = [key for key in item if key in ("start", "end", "start_offset", "end_offset") and type(item[key]) is int]
        return {**item, **{key: to_character(item[key]) for key in keys}}
    return item


def write(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write documents. Language and topic are metadata. Probabilities have no place."""
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for document in documents:
            units = utf16(document.text)
            record: dict[str, Any] = {"id": document.id, "text": document.text}
            record["label"] = [[units.of(span.start), units.of(span.end), span.label] for span in document.spans]
            record |= {"language": document.language} if document.language != UNKNOWN_LANGUAGE else {}
            record |= {"topic": document.topic} if document.topic else {}
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")


TOOL = Tool("doccano", read, write)
