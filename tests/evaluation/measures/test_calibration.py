from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.results import Guess
from ner_head.evaluation.measures.calibration import BINS, Bin, Confidence, fit_temperature
from ner_head.evaluation.measures.spans import Counts


def drawn(n: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of n predictions, and whether each is correct, drawn with probability sigmoid(logit / temperature)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(1, 2, n)
    return logits, rng.random(n) < 1 / (1 + np.exp(-logits / temperature))


def at(temperature: float, logits: np.ndarray, right: np.ndarray) -> Confidence:
    return Confidence(1 / (1 + np.exp(-logits / temperature)), right)


def test_ece_is_the_mean_gap_of_the_bins_by_hand() -> None:
    found = Confidence.of([(0.9, True), (0.91, False), (0.2, False), (0.21, True), (1.0, True)])
    assert found.bins() == [
        Bin(2, pytest.approx(0.205), 0.5),
        Bin(2, pytest.approx(0.905), 0.5),
        Bin(1, 1.0, 1.0),
    ]
    assert found.error == pytest.approx((2 * 0.295 + 2 * 0.405 + 0) / 5)
    assert len(Confidence(np.linspace(0, 1, 1000), np.ones(1000, dtype=bool)).bins()) == BINS


def test_predictions_drawn_from_their_probabilities_are_calibrated() -> None:
    logits, right = drawn(100_000, temperature=1.0)
    assert at(1.0, logits, right).error < 0.01
    assert at(0.4, logits, right).error > 0.05


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_data_is_found(temperature: float) -> None:
    logits, right = drawn(50_000, temperature)
    found = fit_temperature(lambda t: at(t, logits, right).log_loss())
    assert found == pytest.approx(temperature, rel=0.05)
    assert at(found, logits, right).error < 0.01


def test_a_loss_without_a_minimum_inside_ends_at_a_bound() -> None:
    assert fit_temperature(lambda t: t) == pytest.approx(0.1, rel=0.01)
    assert fit_temperature(lambda t: -t) == pytest.approx(10, rel=0.01)


def test_one_sure_mistake_has_a_finite_loss() -> None:
    assert Confidence.of([(1.0, False)]).log_loss() == pytest.approx(-math.log(1e-6))


def test_a_weight_counts_as_so_many_predictions() -> None:
    once, twice = (Confidence.of([(0.9, True), *[(0.6, False)] * n]) for n in (1, 2))
    assert once.log_loss(np.array([1.0, 2.0])) == pytest.approx(twice.log_loss())


def test_nothing_predicted_has_no_error() -> None:
    nothing = Confidence.of([])
    assert (nothing.error, nothing.bins()) == (0.0, [])
    assert nothing.sweep(3)[0] == (0.0, Counts(0, 0, 3))


def test_spans_are_right_by_offsets_and_label_and_languages_where_known() -> None:
    gold = Document("1", "x" * 9, "cs", "t", (), (Span(0, 2, "PER"), Span(4, 6, "LOC")))
    found = replace(gold, spans=(Span(0, 2, "PER", 0.9), Span(4, 6, "ORG", 0.4), Span(7, 8, "PER")))
    spans = Confidence.of_spans([gold], [found])
    assert (spans.probabilities.tolist(), spans.right.tolist()) == ([0.9, 0.4], [True, False])
    guesses = [[Guess("cs", 0.8), Guess("pl", 0.6)], [Guess("cs", 0.7)]]
    languages = Confidence.of_languages([gold, replace(gold, language="und")], guesses)
    assert (languages.probabilities.tolist(), languages.right.tolist()) == ([0.8, 0.6], [True, False])


def test_a_higher_threshold_keeps_fewer_spans() -> None:
    sweep = dict(Confidence.of([(0.9, True), (0.5, False), (0.2, True)]).sweep(4))
    assert sweep[0.0] == Counts(2, 3, 4)
    assert sweep[0.5] == Counts(1, 2, 4)
    assert sweep[0.51] == Counts(1, 1, 4)
    assert len(sweep) == 100
