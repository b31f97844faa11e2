"""Results of a head as plain data: predictions, languages, readings and temperatures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ner_head.base.params import Params
from ner_head.corpus.documents import Document, Reading


class Guess(NamedTuple):
    """A predicted language and its probability."""

    language: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The prediction for a document.

    Attributes:
        document: the document with predicted spans, and with a predicted language if it was unknown.
        sentence_languages: predicted language of each sentence; empty for a head without a language classifier.
        readings: n best readings of each sentence, best first; empty if only the best was requested.
    """

    document: Document
    sentence_languages: list[Guess]
    readings: list[list[Reading]]


def judged(gold: Sequence[Document], predicted: Sequence[Document]) -> list[Document]:
    """Predicted documents without the spans of labels that the gold documents do not annotate.

    Such a span is neither right nor wrong. All scores are computed without it.
    """
    return [
        found if wanted.annotates is None else replace(found, spans=tuple(wanted.judge(found.spans)))
        for wanted, found in zip(gold, predicted, strict=True)
    ]


def judged_predictions(gold: Sequence[Document], predictions: Sequence[Prediction]) -> list[Prediction]:
    """As `judged`, also for readings."""
    documents = judged(gold, [prediction.document for prediction in predictions])
    return [
        Prediction(
            document,
            found.sentence_languages,
            [[Reading(r.probability, tuple(wanted.judge(r.spans))) for r in each] for each in found.readings],
        )
        for wanted, found, document in zip(gold, predictions, documents, strict=True)
    ]


class Temperatures(Params):
    """Calibration of probabilities. The best path and the most probable language do not change.

    Scores and logits are divided by a temperature before they become probabilities (Guo et al., 2017). Values above 1
    make probabilities less extreme.
    """

    spans: float = Field(default=1.0, ge=1e-6, le=1e6)
    """Divisor of the CRF's emissions and of its transition, start and end scores."""
    labels: dict[str, Annotated[float, Field(ge=-20, le=20)]] = Field(default_factory=dict)
    """By label, a number that is added to the log-odds of a span's probability after the temperature; 0 if absent."""
    languages: float = Field(default=1.0, ge=1e-6, le=1e6)
    """Divisor of the language classifier's logits."""

    def shifted(self, probability: float, label: str) -> float:
        """The probability of a span with a label, from the probability that the CRF gives at the temperature."""
        shift = self.labels.get(label, 0.0)
        return probability if not shift else float(shift_log_odds(np.array(probability), shift))


def shift_log_odds(probabilities: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Add `shift` to the log-odds, log(p / (1 - p)), of probabilities; 0 and 1 stay."""
    odds = math.exp(shift) * probabilities
    return odds / (1 - probabilities + odds)
