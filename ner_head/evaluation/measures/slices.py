"""Strict scores of many slices of a split, with bootstrap intervals.

Counts are kept by document, because a corpus is a sample of documents, not of spans: a resample draws whole documents
with replacement (Efron, 1979; for language processing Berg-Kirkpatrick et al., 2012).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import Document, Span
from ner_head.evaluation.measures.spans import Counts, Scores

RESAMPLES, LEVEL = 1000, 0.95
LEAST_DOCUMENTS = 10  # smallest number of documents for an interval: all resamples of one document are equal
ALL, SEEN, UNSEEN = "all", "seen", "unseen"
Form = tuple[str, str]
Interval = tuple[float, float]


def form(document: Document, span: Span) -> Form:
    """The text of a span in lower case with normalised white space, and its label."""
    return " ".join(document.text[span.start : span.end].lower().split()), span.label


def forms(documents: Iterable[Document]) -> set[Form]:
    """The forms of all spans of documents."""
    return {form(document, span) for document in documents for span in document.spans}


class StrictScores(TypedDict):
    """Strict scores by slice. `macro` has F1 only; `per_form` has the scores of seen and unseen forms."""

    micro: Scores
    macro: Scores
    per_type: dict[str, Scores]
    per_language: dict[str, Scores]
    per_topic: dict[str, Scores]
    per_form: dict[str, Scores]


def strict_scores(
    gold: Sequence[Document], predicted: Sequence[Document], seen: Collection[Form] = frozenset()
) -> StrictScores:
    """Strict scores of all slices. `seen` are the forms of the train split."""
    return SliceCounts.of(gold, predicted, seen).scores()


@dataclass(frozen=True)
class SliceCounts:
    """Strict counts of a split by document and slice.

    Attributes:
        slices: Kind and name of each slice: ("all", "all"), ("type", "PER"), ("language", "cs"), ("topic", ...),
            ("form", "seen"), ("form", "unseen").
        counts: Numbers of correct, predicted and gold spans, (documents, slices, 3) int64.
    """

    slices: list[tuple[str, str]]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, gold: Sequence[Document], predicted: Sequence[Document], seen: Collection[Form]) -> SliceCounts:
        """Count spans.

        Args:
            gold: Annotated documents.
            predicted: The same documents with predicted spans.
            seen: Forms of the train split. A gold or predicted span is seen if its form is among them.
        """
        found: list[dict[tuple[str, str], Counts]] = []
        for wanted, guess in zip(gold, predicted, strict=True):
            right = set(wanted.spans) & set(guess.spans)
            row: dict[tuple[str, str], Counts] = {}
            for spans, counts in (
                (right, Counts(correct=1)),
                (set(guess.spans), Counts(predicted=1)),
                (set(wanted.spans), Counts(gold=1)),
            ):
                for span in spans:
                    for place in _places(wanted, span, seen):
                        row[place] = row.get(place, Counts()) + counts
            found.append(row)
        names = [(kind, name) for kind, name in sorted(set().union(*found)) if kind != ALL]
        slices = [(ALL, ALL), *names]
        rows = [[row.get(place, Counts()) for place in slices] for row in found]
        cells = [[[c.correct, c.predicted, c.gold] for c in row] for row in rows]
        return cls(slices, np.array(cells, dtype=np.int64).reshape(len(found), len(slices), 3))

    def scores(self, seed: int = 0) -> StrictScores:
        """Scores of all slices. Each F1 has a 95 % interval over resampled documents, if there are enough of them."""
        totals, drawn, n_documents = self.counts.sum(axis=0), self.resampled(seed), self.n_documents()
        found: StrictScores = {
            "micro": {},
            "macro": _with_interval({"f1": float(self.macro(totals))}, self.macro(drawn), len(self.counts)),
            "per_type": {},
            "per_language": {},
            "per_topic": {},
            "per_form": {},
        }
        for i, (kind, name) in enumerate(self.slices):
            scores = _with_interval(Counts(*totals[i].tolist()).scores(), f1(drawn[:, i]), n_documents[i])
            if kind == ALL:
                found["micro"] = scores
            else:
                found[f"per_{kind}"][name] = scores  # type: ignore[literal-required]
        return found

    def n_documents(self) -> list[int]:
        """Number of documents with a span in each slice; for the slice "all", the number of all documents."""
        found: list[int] = (self.counts.sum(axis=2) > 0).sum(axis=0).tolist()
        return [len(self.counts), *found[1:]]

    def macro(self, totals: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean F1 of the types in the gold, (..., slices, 3) -> (...)."""
        present = self.counts.sum(axis=0)[:, 2] > 0
        types = [i for i, (kind, _) in enumerate(self.slices) if kind == "type" and present[i]]
        found: NDArray[np.float64] = f1(totals[..., types, :]).mean(axis=-1) if types else np.zeros(totals.shape[:-2])
        return found

    def resampled(self, seed: int = 0) -> NDArray[np.int64]:
        """Total counts of `RESAMPLES` resamples, (R, slices, 3). The documents drawn depend on seed and number only."""
        n_documents = max(len(self.counts), 1)
        rng = np.random.default_rng(seed)
        chances = [1 / n_documents] * n_documents
        found = np.zeros((RESAMPLES, *self.counts.shape[1:]), dtype=np.int64)
        for resample in found:  # one at a time: all counts of 100,000 documents take a GB
            times = rng.multinomial(n_documents, chances)
            resample += np.tensordot(times[: len(self.counts)], self.counts, axes=1)
        return found


def gain(
    gold: Sequence[Document], predicted: Sequence[Document], baseline: Sequence[Document], seed: int = 0
) -> Scores:
    """Difference in micro F1 between a tagger and a baseline on the same documents, with its interval.

    Both are scored on the same resamples, so that the difficulty of the drawn documents cancels out.
    """
    one, other = (SliceCounts.of(gold, found, frozenset()) for found in (predicted, baseline))
    totals = f1(one.counts.sum(axis=0)[0]) - f1(other.counts.sum(axis=0)[0])
    drawn = f1(one.resampled(seed)[:, 0]) - f1(other.resampled(seed)[:, 0])
    return _with_interval({"f1": float(totals)}, drawn, len(gold))


def _with_interval(scores: Scores, resampled: NDArray[np.float64], n_documents: int) -> Scores:
    """Add `f1_low` and `f1_high` to scores, unless there are too few documents to resample."""
    if n_documents < LEAST_DOCUMENTS:
        return scores
    low, high = interval(resampled)
    return {**scores, "f1_low": low, "f1_high": high}


def interval(values: NDArray[np.float64]) -> Interval:
    """The central 95 % interval of resampled values."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return low, high


def f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of counts, (..., 3) -> (...); 0 where undefined."""
    return np.asarray(2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1), dtype=np.float64)


def _places(document: Document, span: Span, seen: Collection[Form]) -> list[tuple[str, str]]:
    """The slices that a span belongs to."""
    known = SEEN if form(document, span) in seen else UNSEEN
    return [
        (ALL, ALL),
        ("type", span.label),
        ("language", document.language),
        ("topic", document.topic),
        ("form", known),
    ]
