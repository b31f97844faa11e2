"""Folders of the BSNLP shared task: raw texts, and lists of forms without offsets.

Reading searches the forms in the texts (`formats/projection.py`), so a place comes back only if its form is annotated
with one label wherever it occurs. What reading back would miss or add is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ner_head.conversion.corpora import reader
from ner_head.conversion.tool import Losses, Options, Tool
from ner_head.corpus.documents import Document, without_overlaps
from ner_head.evaluation.bsnlp_documents import free_path, lines_of, rows, safe_name, write_predictions
from ner_head.formats.bsnlp import CATEGORIES
from ner_head.formats.projection import project


def write(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write `raw/TOPIC/LANGUAGE/ID.txt` and `annotated/TOPIC/LANGUAGE/ID.out`. Date and URL of a text are `-`."""
    write_predictions(path / "annotated", _with_texts(documents, path / "raw", losses))


def _with_texts(documents: Iterable[Document], root: Path, losses: Losses) -> Iterator[Document]:
    """The same documents with unique ids. The text of each is written, and its losses are counted."""
    taken: set[str] = set()
    names: set[tuple[str, str, str]] = set()
    for given in documents:
        document, number = given, 1
        while (document.topic, document.language, lines_of(document)[0]) in names:
            number += 1
            document = replace(given, id=f"{given.id}~{number}")
        name = lines_of(document)[0]
        names.add((document.topic, document.language, name))
        folder = root / safe_name(document.topic) / safe_name(document.language)
        path = free_path(folder, safe_name(document.id), ".txt", taken)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{name}\n{document.language}\n-\n-\n{document.text}".encode())
        _count(document, losses)
        yield document


def _count(document: Document, losses: Losses) -> None:
    """Count what reading the forms of a document back would miss or add."""
    kept = without_overlaps(document.spans)
    labels: dict[str, str] = {}
    for form, _, label, _ in rows(document.text, kept):
        if label.upper() in CATEGORIES:
            labels.setdefault(form, label.upper())
    found = set(project(document.text, labels).spans)
    for span in document.spans:
        if span not in kept:
            losses.span(document, "overlapping", span)
        elif span.label not in CATEGORIES:
            losses.add(
                document.key, "label changed", document.text[span.start : span.end], f"{span.label}: no category"
            )
        elif span not in found:
            losses.span(document, "place not kept", span)
    for span in sorted(found - set(kept)):
        losses.add(document.key, "place not kept", document.text[span.start : span.end], f"{span.label}: added")


TOOL = Tool("bsnlp", reader("bsnlp2019"), write, folder=True, names=True)
