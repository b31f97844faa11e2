"""Span scores by the four schemas of nervaluate (Segura-Bedmar et al., 2013, SemEval task 9.1).

| schema | a predicted span is correct if it has |
|---|---|
| strict | the offsets and label of a gold span |
| exact | the offsets of a gold span |
| partial | the offsets of a gold span; an overlap counts half |
| type | an overlap with a gold span of the same label |

A predicted span that is not correct but overlaps a gold span is incorrect (in `partial` it is partially correct).
Other predicted spans are spurious. A gold span that is not matched by a predicted span is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TypedDict

from ner_head.corpus.documents import Document, Span
from ner_head.evaluation.measures.spans import Overlaps, Scores

SCHEMAS = ("strict", "exact", "partial", "type")


class SchemaScores(TypedDict):
    """Scores by one schema: of all spans, and of the spans of each label alone."""

    all: Scores
    per_type: dict[str, Scores]


@dataclass(frozen=True)
class Outcomes:
    """Numbers of gold and predicted spans by outcome. The outcomes of several documents can be added."""

    correct: int = 0
    incorrect: int = 0
    partial: int = 0
    missed: int = 0
    spurious: int = 0

    def __add__(self, other: Outcomes) -> Outcomes:
        return Outcomes(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def scores(self) -> Scores:
        """Precision, recall and F1 (0 where undefined), and the counts."""
        taken = self.correct + self.incorrect + self.partial
        right, actual, possible = self.correct + self.partial / 2, taken + self.spurious, taken + self.missed
        total = actual + possible
        return {
            "precision": right / actual if actual else 0.0,
            "recall": right / possible if possible else 0.0,
            "f1": 2 * right / total if total else 0.0,
            **{name: getattr(self, name) for name in ("correct", "incorrect", "partial", "missed", "spurious")},
        }


def outcomes(gold: Sequence[Span], predicted: Sequence[Span], schema: str) -> Outcomes:
    """Match the spans of one document.

    Each predicted span in turn is matched with a gold span for which it is correct, otherwise with the first one that
    it overlaps. Any overlap counts (nervaluate requires 1 % of the gold span).
    """
    overlaps, right, near = Overlaps(gold), 0, 0
    taken: set[int] = set()
    for span in predicted:
        touching = [place for place in overlaps.of(span) if place not in taken]
        matching = [place for place in touching if _right(span, gold[place], schema)]
        if matching:
            taken.add(min(matching, key=lambda place: _distance(span, gold[place])))
            right += 1
        elif touching:
            taken.add(touching[0])
            near += 1
    half = schema == "partial"
    return Outcomes(
        right, 0 if half else near, near if half else 0, len(gold) - len(taken), len(predicted) - right - near
    )


def _distance(span: Span, other: Span) -> int:
    return abs(other.start - span.start) + abs(other.end - span.end)


def _right(span: Span, other: Span, schema: str) -> bool:
    offsets = (span.start, span.end) == (other.start, other.end)
    if schema == "type":
        return span.label == other.label
    return offsets and (schema != "strict" or span.label == other.label)


def breakdown(gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, SchemaScores]:
    """Scores by each schema."""
    labels = sorted({span.label for document in (*gold, *predicted) for span in document.spans})
    everything = [(wanted.spans, found.spans) for wanted, found in zip(gold, predicted, strict=True)]
    by_type = {label: [(_of(wanted, label), _of(found, label)) for wanted, found in everything] for label in labels}

    def scores(pairs: Sequence[tuple[Sequence[Span], Sequence[Span]]], schema: str) -> Scores:
        return sum((outcomes(*pair, schema) for pair in pairs), Outcomes()).scores()

    return {
        schema: {
            "all": scores(everything, schema),
            "per_type": {label: scores(pairs, schema) for label, pairs in by_type.items()},
        }
        for schema in SCHEMAS
    }


def _of(spans: Sequence[Span], label: str) -> tuple[Span, ...]:
    return tuple(span for span in spans if span.label == label)
