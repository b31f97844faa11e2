"""Suspects as a table, as records and as pre-annotated documents for a review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.corpus.shown import rounded
from ner_head.curation.suspects import Suspect


def record(suspect: Suspect, document: Document) -> dict[str, Any]:
    """A suspect as JSON: kind, margin, document, both spans with their texts and probabilities, and the sentence."""
    sentence = document.sentences[suspect.sentence]
    return {
        "kind": suspect.kind,
        "margin": round(suspect.margin, 4),
        "document": document.key,
        "sentence": suspect.sentence,
        "gold": _span(suspect.gold, document),
        "found": _span(suspect.found, document),
        "text": document.text[sentence.start : sentence.end],
    }


def _span(span: Span | None, document: Document) -> dict[str, Any] | None:
    if span is None:
        return None
    text = document.text[span.start : span.end]
    return {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "text": text,
        "probability": rounded(span.probability),
    }


def table(suspects: Sequence[Suspect], documents: Sequence[Document]) -> str:
    """Suspects as text: rank, margin, kind, annotation and suggestion, and the document with offsets."""
    lines = [f"{'':>5}  {'margin':6}  {'kind':15} annotated -> suggested"]
    for rank, suspect in enumerate(suspects, 1):
        document = documents[suspect.document]
        before, after = (_shown(span, document) for span in (suspect.gold, suspect.found))
        start, end = suspect.place
        lines.append(
            f"{rank:>5}  {suspect.margin:6.3f}  {suspect.kind:15} {before} -> {after}  "
            f"({document.key} [{start}, {end}))"
        )
    return "\n".join(lines)


def _shown(span: Span | None, document: Document) -> str:
    return "nothing" if span is None else f"{span.label} {' '.join(document.text[span.start : span.end].split())!r}"


def to_review(suspects: Sequence[Suspect], documents: Sequence[Document]) -> Iterator[Document]:
    """The documents with suspects, most suspicious first, as pre-annotations for a review.

    The spans are the annotated ones, in which each suspect is replaced by what the heads suggest, with its probability.
    The field `suspects` of a record lists what was replaced (`record`).
    """
    members: dict[int, list[Suspect]] = {}
    for suspect in suspects:
        members.setdefault(suspect.document, []).append(suspect)
    for number, found in members.items():
        document = documents[number]
        removed = {(s.gold.start, s.gold.end, s.gold.label) for s in found if s.gold is not None}
        kept = [s for s in document.spans if (s.start, s.end, s.label) not in removed]
        added = [s.found for s in found if s.found is not None]
        clear = [s for s in kept if not any(s.start < new.end and new.start < s.end for new in added)]
        yield replace(
            document,
            spans=tuple(without_overlaps([*clear, *added])),
            extra={"suspects": [record(suspect, document) for suspect in found]},
        )
