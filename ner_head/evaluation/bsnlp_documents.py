"""Documents as the BSNLP shared task sees them: forms without positions. Its output files, and its strict scores.

A file TOPIC/LANGUAGE/ID.out has the document's id as its first line; each other line is form, lemma, category and
entity between tabs. Lemmas and entities are not predicted: the form stands for the lemma, and every form is an entity
of its own (`PER-jan-novák`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import regex

from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.evaluation.bsnlp_counts import Mention, Pair, Scores, Tally, tallies

NAMELESS = "_"  # for an empty id, topic or language; the first line that is not empty would be taken for the id
LONGEST_NAME = 50  # characters: of four bytes each, they and the suffix stay below the 255 of file systems
_BREAK = regex.compile(r"\s*[\p{Cc}\p{Zl}\p{Zp}]\s*")  # tabs, line breaks and other controls among white space
_UNSAFE = regex.compile(r"^\.|[^\w. -]")


def write_predictions(directory: Path, documents: Iterable[Document]) -> int:
    """Write a file for each document, without entities too; returns how many. Other files there stay.

    Only the longest of overlapping spans are written. Names of files and folders are the ids, topics and languages,
    percent-encoded where a path, a hidden file or a second line could come of it; long or equal ones are cut and
    numbered, which the task does not mind: it reads the id from the first line.
    """
    taken: set[str] = set()
    for document in documents:
        folder = directory / _safe(document.topic) / _safe(document.language)
        path = _free(folder, _safe(document.id), taken)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [_one_line(document.id) or NAMELESS]
        lines += ["\t".join(row) for row in rows(document.text, without_overlaps(document.spans))]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    return len(taken)


class FormScores(TypedDict):
    """The task's strict scores; labels and languages apart, since one may be called like another."""

    all: Scores
    per_type: dict[str, Scores]
    per_language: dict[str, Scores]


def strict_form_scores(gold: Sequence[Document], predicted: Sequence[Document]) -> FormScores:
    """The task's strict scores of all, each category and each language.

    The other metrics need the gold's entity ids and lemmas, which documents do not have: relaxed partial recall with
    every form as its own entity was four points too low. `bsnlp.score_directories` reads them from the gold's files.
    """
    pairs = [
        Pair(
            topic="",
            language=wanted.language,
            gold=_mentions(wanted.text, wanted.spans),
            system=_mentions(found.text, without_overlaps(found.spans)),
        )
        for wanted, found in zip(gold, predicted, strict=True)
    ]
    found = {place: tally for place, tally in tallies(pairs, ["strict"]).items() if tally.gold or tally.system}
    by_type, by_language = defaultdict[str, Tally](Tally), defaultdict[str, Tally](Tally)
    for (_, _, language, category), tally in found.items():
        by_type[category] += tally
        by_language[language] += tally
    return {
        "all": sum(found.values(), Tally()).scores(),
        "per_type": {label: tally.scores() for label, tally in sorted(by_type.items())},
        "per_language": {language: tally.scores() for language, tally in sorted(by_language.items())},
    }


def rows(text: str, spans: Iterable[Span]) -> Iterator[tuple[str, str, str, str]]:
    """Form, lemma, category and entity of spans; forms of a category that differ in case alone come once."""
    seen = set()
    for span in spans:
        form = _one_line(text[span.start : span.end])
        if form and (form.lower(), span.label) not in seen:
            seen.add((form.lower(), span.label))
            yield form, form, span.label, "-".join((span.label, *form.lower().split()))


def _mentions(text: str, spans: Iterable[Span]) -> tuple[Mention, ...]:
    return tuple(
        Mention(form.lower(), lemma.lower(), category, entity) for form, lemma, category, entity in rows(text, spans)
    )


def _one_line(text: str) -> str:
    return _BREAK.sub(" ", text).strip(" ")


def _safe(name: str) -> str:
    """A name for a file or folder, on any system and below its parent."""
    escaped = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name.strip(" "))
    return escaped[:LONGEST_NAME] or NAMELESS


def _free(folder: Path, stem: str, taken: set[str]) -> Path:
    """A path that no document before has, where file systems ignore case too."""
    path, number = folder / f"{stem}.out", 1
    while str(path).lower() in taken:
        number += 1
        path = folder / f"{stem}~{number}.out"
    taken.add(str(path).lower())
    return path
