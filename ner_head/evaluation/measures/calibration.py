"""Whether probabilities mean what they say, and the temperature that makes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.results import Guess
from ner_head.evaluation.measures.spans import Counts

BINS = 15  # of equal width, as Guo et al. (2017)
COLDEST, HOTTEST = 0.1, 10.0


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same probability."""

    count: int
    confidence: float  # their mean probability
    accuracy: float  # the share that was right


@dataclass(frozen=True)
class Confidence:
    """N predictions: how probable each was called, (N,) float64, and whether it was right, (N,) bool."""

    probabilities: NDArray[np.float64]
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, bool]]) -> Confidence:
        """Of pairs of a probability and right or not."""
        rows = list(pairs)
        return cls(np.array([chance for chance, _ in rows]), np.array([right for _, right in rows], dtype=bool))

    @classmethod
    def of_spans(cls, gold: Sequence[Document], predicted: Sequence[Document]) -> Confidence:
        """Predicted spans that have a probability; right is the same offsets and label."""
        return cls.of(
            (span.probability, span in wanted)
            for document, found in zip(gold, predicted, strict=True)
            for wanted in [set(document.spans)]
            for span in found.spans
            if span.probability is not None
        )

    @classmethod
    def of_languages(cls, gold: Sequence[Document], guesses: Sequence[Sequence[Guess]]) -> Confidence:
        """The guesses of sentences whose language is known."""
        return cls.of(
            (guess.probability, guess.language == document.language)
            for document, row in zip(gold, guesses, strict=True)
            for guess in row
            if document.language != UNKNOWN_LANGUAGE
        )

    def bins(self, n_bins: int = BINS) -> list[Bin]:
        """The reliability diagram; empty bins are left out."""
        index = np.minimum((self.probabilities * n_bins).astype(int), n_bins - 1)
        members = [index == k for k in range(n_bins)]
        return [
            Bin(int(m.sum()), float(self.probabilities[m].mean()), float(self.right[m].mean()))
            for m in members
            if m.any()
        ]

    @property
    def error(self) -> float:
        """ECE: |accuracy - confidence| of the bins, averaged over predictions (Naeini et al., 2015); 0 of none."""
        gaps = [found.count * abs(found.accuracy - found.confidence) for found in self.bins()]
        return sum(gaps) / len(self.right) if len(self.right) else 0.0

    def log_loss(self, weights: NDArray[np.float64] | None = None) -> float:
        """Weighted mean of the negative log-probability of what happened.

        Probabilities are kept 1e-6 from 0 and 1, so that one sure mistake decides nothing alone.
        """
        chance = np.clip(self.probabilities, 1e-6, 1 - 1e-6)
        return float(np.average(-np.log(np.where(self.right, chance, 1 - chance)), weights=weights))

    def sweep(self, n_gold: int) -> list[tuple[float, Counts]]:
        """Precision and recall on demand: counts of the predictions of at least a threshold, 0.00 to 0.99."""
        kept = [(k / 100, self.probabilities >= k / 100) for k in range(100)]
        return [(k, Counts(int((self.right & high).sum()), int(high.sum()), n_gold)) for k, high in kept]


def fit_temperature(loss: Callable[[float], float]) -> float:
    """The temperature of the lowest loss, by golden section over its logarithm (Kiefer, 1953).

    Args:
        loss: of a temperature; falls, then rises.
    """
    ratio = (math.sqrt(5) - 1) / 2
    low, high = math.log(COLDEST), math.log(HOTTEST)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    loss_left, loss_right = loss(math.exp(left)), loss(math.exp(right))
    while high - low > 1e-3:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - ratio * (high - low)
            loss_left = loss(math.exp(left))
        else:
            low, left, loss_left = left, right, loss_right
            right = low + ratio * (high - low)
            loss_right = loss(math.exp(right))
    return math.exp((low + high) / 2)
