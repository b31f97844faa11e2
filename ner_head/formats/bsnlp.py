"""BSNLP shared task: raw/TOPIC/LANGUAGE/*.txt, and annotated/TOPIC/LANGUAGE/*.out with mentions without offsets.

Annotation files of 2017 have the suffix .txt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import regex

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.languages import tidy
from ner_head.formats.discovery import files_in, require_texts, topic_folders
from ner_head.formats.format import Format, SourceDocument
from ner_head.formats.lines import BOM, LINE_END, is_blank, read_text, split_lines
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem
from ner_head.formats.projection import project

CATEGORIES = ("PER", "LOC", "ORG", "PRO", "EVT")
WHITE = "".join(map(chr, range(0x21)))  # characters that the task's evaluator trims
TRIMMED = WHITE + BOM  # the evaluator takes a byte order mark for a part of the id
NO_ENTITY = "-1"  # the evaluator's entity id for a row without one
# the first non-empty line is the id, then language, date and URL; the text begins at the title
_HEADER = regex.compile(rf"[\s{BOM}]*+(?P<id>[^\r\n]++)(?:{LINE_END.pattern})(?:[^\r\n]*+(?:{LINE_END.pattern})){{3}}")


@dataclass(frozen=True, slots=True)
class FormRow:
    """One row of an annotation file, with trimmed fields and `category` in capitals."""

    line: int
    form: str
    lemma: str
    category: str
    entity: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """An annotation file.

    Attributes:
        path: the file.
        id: id of the annotated document.
        rows: valid rows.
        ignored: line number and text of the other rows.
    """

    path: Path
    id: str
    rows: tuple[FormRow, ...]
    ignored: tuple[tuple[int, str], ...]


def read(source: Path, options: ReaderOptions, log: ReaderLog) -> Iterator[SourceDocument]:
    """Read a corpus and project its mentions onto the texts. `Document.text` begins at the title line.

    Raw and annotation files are matched by document id. The folder gives the language, as for the task's evaluator.

    Raises:
        DataError: a file is malformed, two annotation files have the same id, or an annotation file has no raw file.
    """
    require_texts(source / "raw", source / "annotated", options, log)
    for topic, language, folder in topic_folders(source / "raw", options, log):
        files = files_in(source / "annotated" / topic / language, (".out", ".txt"), log)
        annotations = read_annotations(files, trimmed=TRIMMED, log=log)
        for path in files_in(folder, (".txt",), log):
            document = read_raw(path, topic=topic, language=tidy(language), log=log)
            found = annotations.pop(document.id, None)
            if found:
                log.annotations[document.key] = len(found.rows) + len(found.ignored)
                yield _annotated(document, found)
            else:
                yield SourceDocument(document, (Problem(document.key, "no annotations", detail=str(path)),))
        for name, left in annotations.items():
            raise DataError(f"{left.path}: annotates {name!r}, but no file in {folder} has this id in its first line")


FORMAT = Format("bsnlp2019", read)


def read_raw(path: Path, *, topic: str, language: str, log: ReaderLog | None = None) -> Document:
    """Read a raw file as a document without spans.

    Raises:
        DataError: the file cannot be read or has no header.
    """
    content = read_text(path, log)
    header = _HEADER.match(content)
    if header is None:
        raise DataError(f"{path}: expected lines id, language, date, URL, title, then the text; got fewer")
    return Document(id=header["id"].strip(TRIMMED), text=content[header.end() :], language=language, topic=topic)


def read_annotations(paths: Iterable[Path], *, trimmed: str, log: ReaderLog | None = None) -> dict[str, Annotations]:
    """Read annotation files by the loading rules of the task's evaluator.

    Args:
        paths: annotation files of one topic and language.
        trimmed: characters to strip from lines and fields.
        log: log that counts the files and rows.

    Returns:
        Annotations by document id.

    Raises:
        DataError: a file cannot be read or has no id, or two files have the same id.
    """
    found: dict[str, Annotations] = {}
    for path in paths:
        all_lines = split_lines(read_text(path, log))
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
        if log is not None:
            log.rows.update({"blank": len(all_lines) - len(lines), "mark": 1})
            log.rows.update("kept" if row else "ignored" for _, _, row in rows)
    return found


def _row(number: int, line: str, trimmed: str) -> FormRow | None:
    """Parse a trimmed line; None if the evaluator ignores it."""
    fields = [field.strip(trimmed) for field in line.split("\t")]
    if len(fields) < 3 or fields[2].upper() not in CATEGORIES:
        return None
    return FormRow(number, fields[0], fields[1], fields[2].upper(), fields[3] if len(fields) > 3 else NO_ENTITY)


def _annotated(document: Document, annotations: Annotations) -> SourceDocument:
    rows: dict[str, FormRow] = {}
    categories: dict[str, dict[str, None]] = {}  # keys are lower-cased forms, as the evaluator compares them
    for row in annotations.rows:
        rows.setdefault(row.form, row)
        categories.setdefault(row.form.lower(), {})[row.category] = None
    labels = {form: row.category for form, row in rows.items()}
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
    named = tuple(_with_names(span, rows[span.text or ""]) for span in spans)
    return SourceDocument(replace(document, spans=named), tuple(problems))


def _with_names(span: Span, row: FormRow) -> Span:
    """A span with the lemma and the entity of its row."""
    return replace(span, text=None, lemma=row.lemma or None, entity=None if row.entity == NO_ENTITY else row.entity)
