"""Thresholds of probability by label, at which spans have a wanted precision."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pydantic import Field

from ner_head.base.params import Params
from ner_head.corpus.documents import Document
from ner_head.corpus.near_copies import near_copies
from ner_head.evaluation.measures.calibration import Confidence
from ner_head.evaluation.measures.slices import LEAST_DOCUMENTS
from ner_head.evaluation.measures.spans import Counts

TARGETS = (0.8, 0.9, 0.95, 0.99)  # precisions of the table
FOLDS = 5
SCALE = 1_000_000  # a threshold has six digits


class Step(NamedTuple):
    """A threshold of a label: the smallest one at which `assured` is reached.

    Attributes:
        threshold: smallest probability of the spans that are kept, rounded down.
        correct: number of correct spans among them.
        kept: their number.
    """

    threshold: float
    correct: int
    kept: int

    @property
    def assured(self) -> float:
        """The precision that is claimed: as if one more span were kept, and wrong.

        The correction is that of conformal risk control (Angelopoulos et al., 2024). It matters where few spans are
        kept: of 10 correct spans, 0.909 is claimed.
        """
        return self.correct / (self.kept + 1)


class LabelThresholds(Params):
    """The thresholds of a label.

    Attributes:
        gold: number of gold spans.
        steps: threshold, correct and kept spans, by rising threshold and rising claimed precision.
    """

    gold: int = Field(ge=0)
    steps: list[tuple[float, int, int]]

    @classmethod
    def of(cls, found: Confidence, gold: int) -> LabelThresholds:
        """The thresholds from the predicted spans of a label on held-out documents.

        Args:
            found: the probability of each predicted span, and whether it is correct.
            gold: number of gold spans.
        """
        steps: list[tuple[float, int, int]] = []
        best = 0.0
        for least in sorted({_down(chance) for chance in found.probabilities.tolist()}):
            high = found.probabilities >= least
            step = Step(least, int(found.right[high].sum()), int(high.sum()))
            if step.assured > best:
                best = step.assured
                steps.append((step.threshold, step.correct, step.kept))
        return cls(gold=gold, steps=steps)

    def step(self, precision: float) -> Step | None:
        """The lowest threshold at which a precision is claimed; None if it is not reached."""
        found = (Step(*step) for step in self.steps)
        return next((step for step in found if step.assured >= precision), None)

    @property
    def highest(self) -> float:
        """The highest precision that is claimed; 0 without a correct span."""
        return Step(*self.steps[-1]).assured if self.steps else 0.0


Thresholds = dict[str, LabelThresholds]


def thresholds(gold: Sequence[Document], predicted: Sequence[Document], labels: Collection[str]) -> Thresholds:
    """The thresholds of each label.

    Args:
        gold: annotated documents that the model was not trained on.
        predicted: the same documents with predicted spans and their probabilities.
        labels: labels of the model.
    """
    found: Thresholds = {}
    for label in sorted(labels):
        wanted, guesses = (_of_label(documents, label) for documents in (gold, predicted))
        n_gold = sum(len(set(document.spans)) for document in wanted)
        found[label] = LabelThresholds.of(Confidence.of_spans(wanted, guesses), n_gold)
    return found


def least_of(found: Mapping[str, LabelThresholds], precision: float) -> dict[str, float]:
    """The threshold of each label at which a precision is reached; labels that do not reach it are absent."""
    steps = {label: each.step(precision) for label, each in found.items()}
    return {label: step.threshold for label, step in steps.items() if step is not None}


def counts(gold: Iterable[Document], predicted: Iterable[Document], least: Mapping[str, float]) -> dict[str, Counts]:
    """Counts by label of the spans that are kept at thresholds. Spans of labels without one are not kept.

    Args:
        gold: annotated documents.
        predicted: the same documents with predicted spans and their probabilities.
        least: thresholds.
    """
    found: dict[str, Counts] = {}

    def add(label: str, one: Counts) -> None:
        found[label] = found.get(label, Counts()) + one

    for wanted, guess in zip(gold, predicted, strict=True):
        right = set(wanted.spans)
        for span in right:
            add(span.label, Counts(gold=1))
        for span in guess.spans:
            if (span.probability or 0.0) >= least.get(span.label, math.inf):
                add(span.label, Counts(correct=span in right, predicted=1))
    return found


def cross_checked(
    gold: Sequence[Document], predicted: Sequence[Document], labels: Collection[str], precision: float
) -> Counts | None:
    """Counts on documents that the thresholds were not chosen on.

    The documents are divided into `FOLDS` parts, with near copies in the same part. The thresholds for each part are
    chosen on the other parts.

    Returns:
        The counts of all parts; None for fewer than `LEAST_DOCUMENTS` groups of near copies.
    """
    groups = near_copies(gold)
    if len(groups) < LEAST_DOCUMENTS:
        return None
    total = Counts()
    for fold in range(FOLDS):
        inside = {i for group in groups[fold::FOLDS] for i in group}
        outside = [i for i in range(len(gold)) if i not in inside]
        chosen = thresholds([gold[i] for i in outside], [predicted[i] for i in outside], labels)
        members = sorted(inside)
        found = counts([gold[i] for i in members], [predicted[i] for i in members], least_of(chosen, precision))
        total = sum(found.values(), total)
    return total


def _down(probability: float) -> float:
    """A probability rounded down, so that the span that has it is kept."""
    return math.floor(probability * SCALE) / SCALE


def _of_label(documents: Iterable[Document], label: str) -> list[Document]:
    return [
        replace(document, spans=tuple(span for span in document.spans if span.label == label)) for document in documents
    ]
