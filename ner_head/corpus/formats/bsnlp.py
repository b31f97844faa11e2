"""BSNLP shared task: raw/TOPIC/LANGUAGE/*.txt, and annotated/TOPIC/LANGUAGE/*.out with mentions but no offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import regex

from ner_head.corpus.documents import Document
from ner_head.corpus.formats.reading import Problem, Reading, read_text, topic_folders
from ner_head.corpus.projection import project
from ner_head.errors import DataError

CATEGORIES = ("PER", "LOC", "ORG", "PRO", "EVT")
TRIMMED = "".join(map(chr, range(0x21))) + "\ufeff"  # the evaluator's white space, and a byte order mark
# id (the first line that is not empty), language, date, URL; the text goes on from the title
_HEADER = regex.compile(r"[\s\ufeff]*+(?P<id>[^\n]++)\n(?:[^\n]*+\n){3}")


@dataclass(frozen=True, slots=True)
class Row:
    """One annotation, trimmed: `form` as written, `category` in capitals."""

    line: int
    form: str
    category: str


def read(source: Path, languages: Sequence[str]) -> Iterator[Reading]:
    """Read a corpus, its mentions projected onto the texts; `Document.text` begins at the title line.

    Raw and annotated files pair by id. The folder says the language, as it does for the task's evaluator.

    Raises:
        DataError: a file that is not of this form, two annotations of one id, or annotations without a text.
    """
    for topic, language, folder in topic_folders(source / "raw", languages):
        annotations = _annotations(source / "annotated" / topic / language)
        for path in sorted(folder.glob("*.txt")):
            document = read_raw(path, topic=topic, language=language)
            rows = annotations.pop(document.id, None)
            yield (
                _annotated(document, read_rows(rows))
                if rows
                else (
                    document,
                    (Problem(document.key, "no annotations"),),
                )
            )
        for name, path in annotations.items():
            raise DataError(f"{path}: annotates {name!r}, but no file in {folder} has this id in its first line")


def read_raw(path: Path, *, topic: str, language: str) -> Document:
    """A raw file as a document without spans."""
    content = read_text(path)
    header = _HEADER.match(content)
    if header is None:
        raise DataError(f"{path}: expected lines id, language, date, URL, title, then the text; got fewer")
    return Document(id=header["id"].strip(TRIMMED), text=content[header.end() :], language=language, topic=topic)


def read_rows(path: Path) -> tuple[list[Row], list[tuple[int, str]]]:
    """Annotations of a file by the evaluator's loading rules: those taken, and line and text of those ignored."""
    rows, ignored = [], []
    lines = [(number, line.strip(TRIMMED)) for number, line in enumerate(read_text(path).split("\n"), 1)]
    for number, line in [(number, line) for number, line in lines if line][1:]:
        fields = [field.strip(TRIMMED) for field in line.split("\t")]
        category = fields[2].upper() if len(fields) > 2 else ""
        if category in CATEGORIES and fields[0]:
            rows.append(Row(number, fields[0], category))
        else:
            ignored.append((number, line))
    return rows, ignored


def _annotations(folder: Path) -> dict[str, Path]:
    """Document id -> file."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.out")):
        name = next((line.strip(TRIMMED) for line in read_text(path).split("\n") if line.strip(TRIMMED)), "")
        if not name:
            raise DataError(f"{path}: empty; its first line must be the id of a document")
        if name in found:
            raise DataError(f"{path}: annotates {name!r}, and so does {found[name].name}; leave one of them")
        found[name] = path
    return found


def _annotated(document: Document, content: tuple[list[Row], list[tuple[int, str]]]) -> Reading:
    rows, ignored = content
    labels: dict[str, str] = {}
    categories: dict[str, dict[str, None]] = {}  # by lower-cased form, as the evaluator compares them
    for row in rows:
        labels.setdefault(row.form, row.category)
        categories.setdefault(row.form.lower(), {})[row.category] = None
    spans, missing = project(document.text, labels)
    problems = [Problem(document.key, "row ignored", detail=f"line {number}: {line}") for number, line in ignored]
    problems += [
        Problem(document.key, "two categories", form, ", ".join(found))
        for form, found in categories.items()
        if len(found) > 1
    ]
    problems += [Problem(document.key, "not found", form, labels[form]) for form in missing]
    return (
        Document(document.id, document.text, document.language, document.topic, spans=tuple(spans)),
        tuple(problems),
    )
