"""BSNLP shared task: raw/TOPIC/LANGUAGE/*.txt, and annotated/TOPIC/LANGUAGE/*.out with mentions but no offsets.

Annotations of 2017 are called *.txt too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import regex

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.corpus.languages import tidy
from ner_head.formats.discovery import files_in, require_texts, topic_folders
from ner_head.formats.lines import BOM, LINE_END, is_blank, read_text, split_lines
from ner_head.formats.projection import project
from ner_head.formats.reading import Problem, Reading, Tally, Wanted

CATEGORIES = ("PER", "LOC", "ORG", "PRO", "EVT")
WHITE = "".join(map(chr, range(0x21)))  # what the task's evaluator trims
TRIMMED = WHITE + BOM  # and a byte order mark, which it takes for a part of the id
NO_ENTITY = "-1"  # the evaluator's id of an entity where a row has none
# id (the first line that is not empty), language, date, URL; the text goes on from the title
_HEADER = regex.compile(rf"[\s{BOM}]*+(?P<id>[^\r\n]++)(?:{LINE_END.pattern})(?:[^\r\n]*+(?:{LINE_END.pattern})){{3}}")


@dataclass(frozen=True, slots=True)
class Row:
    """One annotation, trimmed: as written, but `category` in capitals."""

    line: int
    form: str
    lemma: str
    category: str
    entity: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """A file of them: its document's id, the rows taken, and line and text of those ignored."""

    path: Path
    id: str
    rows: tuple[Row, ...]
    ignored: tuple[tuple[int, str], ...]


def read(source: Path, wanted: Wanted, tally: Tally) -> Iterator[Reading]:
    """Read a corpus, its mentions projected onto the texts; `Document.text` begins at the title line.

    Raw and annotated files pair by id. The folder says the language, as it does for the task's evaluator.

    Raises:
        DataError: a file that is not of this form, two annotations of one id, or annotations without a text.
    """
    require_texts(source / "raw", source / "annotated", wanted, tally)
    for topic, language, folder in topic_folders(source / "raw", wanted, tally):
        files = files_in(source / "annotated" / topic / language, (".out", ".txt"), tally)
        annotations = read_annotations(files, trimmed=TRIMMED, tally=tally)
        for path in files_in(folder, (".txt",), tally):
            document = read_raw(path, topic=topic, language=tidy(language), tally=tally)
            found = annotations.pop(document.id, None)
            if found:
                tally.annotations[document.key] = len(found.rows) + len(found.ignored)
            none = Problem(document.key, "no annotations", detail=str(path))
            yield _annotated(document, found) if found else (document, (none,))
        for name, left in annotations.items():
            raise DataError(f"{left.path}: annotates {name!r}, but no file in {folder} has this id in its first line")


def read_raw(path: Path, *, topic: str, language: str, tally: Tally | None = None) -> Document:
    """A raw file as a document without spans."""
    content = read_text(path, tally)
    header = _HEADER.match(content)
    if header is None:
        raise DataError(f"{path}: expected lines id, language, date, URL, title, then the text; got fewer")
    return Document(id=header["id"].strip(TRIMMED), text=content[header.end() :], language=language, topic=topic)


def read_annotations(paths: Iterable[Path], *, trimmed: str, tally: Tally | None = None) -> dict[str, Annotations]:
    """Annotation files by the evaluator's loading rules, by the id of their document.

    Args:
        paths: files of one topic and language.
        trimmed: characters that are dropped at the ends of lines and fields.
        tally: where files and rows are counted.

    Raises:
        DataError: a file that has no id or cannot be read, or two files of one id.
    """
    found: dict[str, Annotations] = {}
    for path in paths:
        all_lines = split_lines(read_text(path, tally))
        lines = [(number, line.strip(trimmed)) for number, line in enumerate(all_lines, 1) if not is_blank(line)]
        if not lines:
            raise DataError(f"{path}: empty; its first line must be the id of a document")
        (_, name), *rest = lines
        if name in found:
            raise DataError(f"{path}: annotates {name!r}, and so does {found[name].path.name}; leave one of them")
        rows = [(number, line, _row(number, line, trimmed)) for number, line in rest]
        found[name] = Annotations(
            path,
            name,
            tuple(row for _, _, row in rows if row),
            tuple((number, line) for number, line, row in rows if not row),
        )
        if tally is not None:
            tally.rows.update({"blank": len(all_lines) - len(lines), "mark": 1})
            tally.rows.update("kept" if row else "ignored" for _, _, row in rows)
    return found


def _row(number: int, line: str, trimmed: str) -> Row | None:
    """A trimmed line as an annotation; None where the evaluator ignores it."""
    fields = [field.strip(trimmed) for field in line.split("\t")]
    if len(fields) < 3 or fields[2].upper() not in CATEGORIES:
        return None
    return Row(number, fields[0], fields[1], fields[2].upper(), fields[3] if len(fields) > 3 else NO_ENTITY)


def _annotated(document: Document, annotations: Annotations) -> Reading:
    labels: dict[str, str] = {}
    categories: dict[str, dict[str, None]] = {}  # by lower-cased form, as the evaluator compares them
    for row in annotations.rows:
        labels.setdefault(row.form, row.category)
        categories.setdefault(row.form.lower(), {})[row.category] = None
    spans, missing, other_case = project(document.text, labels)
    problems = [
        Problem(document.key, "row ignored", detail=f"line {number}: {line}") for number, line in annotations.ignored
    ]
    problems += [
        Problem(document.key, "two categories", form, ", ".join(found))
        for form, found in categories.items()
        if len(found) > 1
    ]
    problems += [Problem(document.key, "not found", form, labels[form]) for form in missing]
    problems += [Problem(document.key, "found in other case", form, labels[form]) for form in other_case]
    return (
        Document(document.id, document.text, document.language, document.topic, spans=tuple(spans)),
        tuple(problems),
    )
