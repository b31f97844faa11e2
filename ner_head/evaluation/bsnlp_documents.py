"""Output files of the BSNLP shared task, and its strict scores, from documents.

The first line of a file TOPIC/LANGUAGE/ID.out is the document's id. Every other line is form, lemma, category and
entity, separated by tabs. A span without a lemma has its form as lemma, and a form without an entity is an entity of
its own (`PER-jan-novák`).
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import regex

from ner_head.base.files import write_text
from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.evaluation.bsnlp_counts import (
    ALL,
    DocumentPair,
    MatchCounts,
    Mention,
    lemma_accuracy,
    match_counts,
    score,
)
from ner_head.evaluation.bsnlp_linking import linking_scores
from ner_head.evaluation.measures.spans import Scores

NAMELESS = "_"  # replaces an empty id, topic or language, because the first non-empty line is read as the id
LONGEST_NAME = 50  # characters; at four bytes each, name and suffix stay below the 255 bytes of file systems
_BREAK = regex.compile(r"\s*[\p{Cc}\p{Zl}\p{Zp}]\s*")  # tabs, line breaks, other controls; white space around them
_UNSAFE = regex.compile(r"^\.|[^\w. -]|\.$")
_DEVICE = regex.compile(r"(?i)^(con|prn|aux|nul|(com|lpt)[0-9¹²³])(?=\.|$)")  # of Windows, with any suffix


def write_predictions(directory: Path, documents: Iterable[Document]) -> int:
    """Write one file per document, also for documents without spans. Other files in the directory are kept.

    Of overlapping spans only the longest is written. Files and folders are named by id, topic and language.
    Characters that are unsafe in file names are percent-encoded. Long names are cut and equal names are numbered;
    the task reads the id from the first line.

    Returns:
        Number of files.
    """
    taken: set[str] = set()
    for document in documents:
        folder = directory / safe_name(document.topic) / safe_name(document.language)
        path = free_path(folder, safe_name(document.id), ".out", taken)
        write_text(path, "".join(f"{line}\n" for line in lines_of(document)))
    return len(taken)


def lines_of(document: Document) -> list[str]:
    """The lines of a document's file."""
    found = rows(document.text, without_overlaps(document.spans))
    return [_one_line(document.id) or NAMELESS, *("\t".join(row) for row in found)]


class TaskScores(TypedDict):
    """Scores of the task: of all documents by metric, right lemmas among right mentions, and by language and metric."""

    metrics: dict[str, Scores]
    lemma_accuracy: float
    per_language: dict[str, dict[str, Scores]]


class FormScores(TypedDict):
    """Strict scores of the task, with labels and languages in separate dictionaries, since their names may collide."""

    all: Scores
    per_type: dict[str, Scores]
    per_language: dict[str, Scores]


def strict_form_scores(gold: Sequence[Document], predicted: Sequence[Document]) -> FormScores:
    """Strict scores of the task: overall, by category and by language.

    For the other metrics see `task_scores`, and `bsnlp.score_directories`, which reads files.
    """
    pairs = [
        DocumentPair(
            topic="",
            language=wanted.language,
            gold=_mentions(wanted.text, wanted.spans),
            system=_mentions(found.text, without_overlaps(found.spans)),
        )
        for wanted, found in zip(gold, predicted, strict=True)
    ]
    found = {place: counts for place, counts in match_counts(pairs, ["strict"]).items() if counts.gold or counts.system}
    by_type: defaultdict[str, MatchCounts] = defaultdict(MatchCounts)
    by_language: defaultdict[str, MatchCounts] = defaultdict(MatchCounts)
    for (_, _, language, category), counts in found.items():
        by_type[category] += counts
        by_language[language] += counts
    return {
        "all": sum(found.values(), MatchCounts()).scores(),
        "per_type": {label: counts.scores() for label, counts in sorted(by_type.items())},
        "per_language": {language: counts.scores() for language, counts in sorted(by_language.items())},
    }


def task_scores(gold: Sequence[Document], predicted: Sequence[Document]) -> TaskScores:
    """All scores of the task over all documents, of gold documents with lemmas and entities."""
    pairs = [
        DocumentPair(
            topic=wanted.topic,
            language=wanted.language,
            gold=_all_mentions(wanted),
            system=_mentions(found.text, without_overlaps(found.spans)),
        )
        for wanted, found in zip(gold, predicted, strict=True)
    ]
    scores = score(pairs) | linking_scores(pairs, [])
    accuracy = lemma_accuracy(pairs)
    return {
        "metrics": {metric: slices[ALL] for metric, slices in scores.items()},
        "lemma_accuracy": accuracy.get(ALL, 0.0),
        "per_language": {
            language: {metric: slices[language] for metric, slices in scores.items() if language in slices}
            for language in sorted({document.language for document in gold})
        },
    }


def rows(text: str, spans: Iterable[Span]) -> Iterator[tuple[str, str, str, str]]:
    """Form, lemma, category and entity of spans. Forms of one category that differ in case only are listed once."""
    seen = set()
    for span in spans:
        form = _one_line(text[span.start : span.end])
        if form and (form.lower(), span.label) not in seen:
            seen.add((form.lower(), span.label))
            lemma = _one_line(span.lemma or "") or form
            yield form, lemma, span.label, _one_line(span.entity or "") or "-".join((span.label, *form.lower().split()))


def _mentions(text: str, spans: Iterable[Span]) -> tuple[Mention, ...]:
    return tuple(
        Mention(form.lower(), lemma.lower(), category, entity) for form, lemma, category, entity in rows(text, spans)
    )


def _all_mentions(document: Document) -> tuple[Mention, ...]:
    """The mentions of a gold document, with all lemmas and entities of a form."""
    found: dict[Mention, None] = {}
    for span in document.spans:
        for form, lemma, category, entity in rows(document.text, [span]):
            found[Mention(form.lower(), lemma.lower(), category, entity)] = None
    return tuple(found)


def _one_line(text: str) -> str:
    return _BREAK.sub(" ", text).strip(" ")


def safe_name(name: str) -> str:
    """A name for a file or folder that is valid on every system and stays inside its parent."""
    device = _DEVICE.match(name.strip(" "))
    escaped = _UNSAFE.sub(lambda match: _percent(match[0]), name.strip(" "))
    if device:
        escaped = _percent(escaped[0]) + escaped[1:]
    return escaped[:LONGEST_NAME].rstrip(" .") or NAMELESS


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def free_path(folder: Path, stem: str, suffix: str, taken: set[str]) -> Path:
    """A path that no earlier document has, also on file systems that ignore case or how letters are composed.

    It is added to `taken`.
    """
    path, number = folder / f"{stem}{suffix}", 1
    while (known := unicodedata.normalize("NFC", str(path)).lower()) in taken:
        number += 1
        path = folder / f"{stem}~{number}{suffix}"
    taken.add(known)
    return path
