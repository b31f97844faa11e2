"""Calibration of probabilities, and the temperature that improves it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.results import Guess
from ner_head.evaluation.measures.spans import Counts

BINS = 15  # of equal width, as in Guo et al. (2017)
COLDEST, HOTTEST = 0.1, 10.0  # bounds of a temperature
TOLERANCE = 1e-4  # of the logarithm of a temperature


@dataclass(frozen=True)
class Bin:
    """Predictions of similar probability.

    Attributes:
        count: Number of predictions.
        confidence: Mean probability.
        accuracy: Share of correct predictions.
    """

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Confidence:
    """N predictions.

    Attributes:
        probabilities: Predicted probabilities, (N,) float64.
        right: Whether each prediction is correct, (N,) bool.
    """

    probabilities: NDArray[np.float64]
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, bool]]) -> Confidence:
        """Collect pairs of a probability and whether the prediction is correct."""
        rows = list(pairs)
        return cls(np.array([chance for chance, _ in rows]), np.array([right for _, right in rows], dtype=bool))

    @classmethod
    def of_spans(cls, gold: Sequence[Document], predicted: Sequence[Document]) -> Confidence:
        """Collect predicted spans with a probability. A span is correct if a gold span has its offsets and label."""
        return cls.of(
            (span.probability, span in wanted)
            for document, found in zip(gold, predicted, strict=True)
            for wanted in [set(document.spans)]
            for span in found.spans
            if span.probability is not None
        )

    @classmethod
    def of_languages(cls, gold: Sequence[Document], guesses: Sequence[Sequence[Guess]]) -> Confidence:
        """Collect predicted languages of sentences whose language is known."""
        return cls.of(
            (guess.probability, guess.language == document.language)
            for document, row in zip(gold, guesses, strict=True)
            for guess in row
            if document.language != UNKNOWN_LANGUAGE
        )

    def bins(self, n_bins: int = BINS) -> list[Bin]:
        """The bins of the reliability diagram, without empty ones."""
        index = np.minimum((self.probabilities * n_bins).astype(int), n_bins - 1)
        members = [index == k for k in range(n_bins)]
        return [
            Bin(int(m.sum()), float(self.probabilities[m].mean()), float(self.right[m].mean()))
            for m in members
            if m.any()
        ]

    @property
    def error(self) -> float:
        """Expected calibration error (Naeini et al., 2015); 0 without predictions.

        It is the mean of |accuracy - confidence| over the bins, weighted by their counts.
        """
        gaps = [found.count * abs(found.accuracy - found.confidence) for found in self.bins()]
        return sum(gaps) / len(self.right) if len(self.right) else 0.0

    def log_loss(self, weights: NDArray[np.float64] | None = None) -> float:
        """Weighted mean log loss.

        Probabilities are clipped to [1e-6, 1 - 1e-6], so that a single confident error does not dominate.
        """
        chance = np.clip(self.probabilities, 1e-6, 1 - 1e-6)
        return float(np.average(-np.log(np.where(self.right, chance, 1 - chance)), weights=weights))

    def sweep(self, n_gold: int) -> list[tuple[float, Counts]]:
        """Counts of the predictions with at least some probability, for the thresholds 0.00, 0.01, ..., 0.99."""
        kept = [(k / 100, self.probabilities >= k / 100) for k in range(100)]
        return [(k, Counts(int((self.right & high).sum()), int(high.sum()), n_gold)) for k, high in kept]


def fit_temperature(loss: Callable[[float], float]) -> float:
    """The temperature with the lowest loss, found by Brent's bounded method over its logarithm.

    Args:
        loss: Loss at a temperature; unimodal between `COLDEST` and `HOTTEST`.
    """
    from scipy.optimize import minimize_scalar  # of the extra `train`

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    found = minimize_scalar(
        lambda logarithm: loss(math.exp(logarithm)), bounds=bounds, method="bounded", options={"xatol": TOLERANCE}
    )
    return math.exp(found.x)
