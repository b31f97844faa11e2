from __future__ import annotations

import numpy as np
import pytest
import torch

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.results import Temperatures, shift_log_odds
from ner_head.evaluation.measures.calibration import Confidence
from ner_head.evaluation.measures.slices import forms
from ner_head.features.store.store import FeatureStore
from ner_head.head.model import build_head
from ner_head.head.params import HeadParams, LstmParams
from ner_head.inference.predictions import predict_from_store
from ner_head.inference.tagger import Tagger
from ner_head.training import temperatures as module
from ner_head.training.temperatures import (
    FEWEST,
    MOST_SHIFT,
    fit_temperatures,
    kind,
    label_shifts,
    predicted,
    sentence_gold,
    shortages,
    span_weights,
)

LABELS, LANGUAGES, CPU = ("LOC", "PER"), ["cs", "pl", "ru"], torch.device("cpu")


@pytest.fixture(scope="module")
def tagger(store: FeatureStore) -> Tagger:
    """A head with random weights that predicts some spans."""
    params = HeadParams(lstm=LstmParams(hidden=16), projection=16, classifier=8)
    tag_set, encoder = params.tag_set(LABELS), store.manifest.encoder
    torch.manual_seed(1)
    head = build_head(params, n_layers=encoder.n_layers, width=encoder.width, tag_set=tag_set, languages=LANGUAGES)
    with torch.no_grad():
        head.emissions.weight.mul_(8)
    return Tagger(head, tag_set, CPU)


def test_gold_is_told_new_from_known_and_predictions_by_what_they_touch(documents: list[Document]) -> None:
    document = documents[0]  # Jana Nováková přijela do Prahy. Vláda mlčela.
    gold = sentence_gold(document, 0, {("prahy", "LOC")})
    assert gold == {Span(0, 2, "PER"): True, Span(4, 5, "LOC"): False}
    assert sentence_gold(document, 0, forms([document])) == {Span(0, 2, "PER"): False, Span(4, 5, "LOC"): False}
    assert kind(Span(0, 1, "LOC"), gold) == "new"
    assert kind(Span(4, 5, "LOC"), gold) == "known"
    assert kind(Span(1, 5, "PER"), gold) == "new"
    assert kind(Span(2, 4, "PER"), gold) == "none"


def test_weights_make_the_share_of_new_names_what_was_asked() -> None:
    kinds = np.array(["new"] * 2 + ["known"] * 8 + ["none"] * 3)
    weights = span_weights(kinds, (2, 8), 0.7)  # every gold span found
    assert weights[:2].sum() == pytest.approx(7)
    assert weights[2:10].sum() == pytest.approx(3)
    assert weights[10:].tolist() == [1, 1, 1]
    assert span_weights(kinds, (2, 8), 0.2) == pytest.approx(np.ones(13))
    assert span_weights(kinds, (0, 8), 0.7).tolist() == [1] * 13


def test_what_a_tagger_found_lines_up_with_its_predictions(
    tagger: Tagger, documents: list[Document], store: FeatureStore
) -> None:
    found = predicted(tagger, documents, store, LANGUAGES, forms(documents[:2]))
    assert found.gold == (8, 4)
    numbers = {len(found.right), len(found.kinds), len(found.labels), sum(len(q.patterns) for q in found.queries)}
    assert len(numbers) == 1
    assert numbers != {0}
    logits, right = found.languages
    assert logits.shape == (12, 3)
    assert sorted(right.tolist()) == [0] * 4 + [1] * 4 + [2] * 4


def test_the_temperature_found_has_the_lowest_loss(
    tagger: Tagger, documents: list[Document], store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEWEST", 1)
    found = fit_temperatures(tagger, documents, store, LANGUAGES, seen=set(), new_forms=0.7)
    grid = [0.1, 0.3, 1.0, 3.0, 10.0]
    logits, right = predicted(tagger, documents, store, LANGUAGES, set()).languages

    def language_loss(temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / temperature, right))

    def span_loss(temperature: float) -> float:
        warm = Tagger(tagger.head, tagger.tag_set, CPU, Temperatures(spans=temperature))
        predictions = predict_from_store(warm, documents, store, LANGUAGES, probabilities=True)
        return Confidence.of_spans(documents, [p.document for p in predictions]).log_loss()

    assert language_loss(found.languages) <= min(map(language_loss, grid)) + 1e-3
    assert span_loss(found.spans) <= min(map(span_loss, grid)) + 1e-3
    assert span_loss(found.spans) < span_loss(1.0)


def test_the_shift_of_a_label_makes_its_probabilities_add_up_to_what_is_right() -> None:
    rng = np.random.default_rng(0)
    labels = np.array(["LOC"] * 200 + ["PER"] * 100 + ["PRO"] * (FEWEST - 1))
    chances = rng.uniform(0.05, 0.95, len(labels))
    odds = chances / (1 - chances) * np.where(labels == "LOC", np.exp(-1.0), np.exp(0.5))
    right = rng.uniform(size=len(labels)) < odds / (1 + odds)
    weights = rng.uniform(0.5, 2.0, len(labels))
    shifts = label_shifts(chances, right, labels, weights)
    assert shifts.keys() == {"LOC", "PER"}  # PRO has too few spans
    for label, shift in shifts.items():
        mine = labels == label
        shifted = shift_log_odds(chances[mine], shift)
        assert weights[mine] @ shifted == pytest.approx(weights[mine] @ right[mine], rel=1e-4)
        near = [_log_loss(shift_log_odds(chances[mine], shift + d), right[mine], weights[mine]) for d in (-0.1, 0, 0.1)]
        assert near[1] == min(near)  # the intercept of a logistic regression
    assert shifts["LOC"] == pytest.approx(-1.0, abs=0.5)
    assert shifts["PER"] == pytest.approx(0.5, abs=0.6)


def _log_loss(chances: np.ndarray, right: np.ndarray, weights: np.ndarray) -> float:
    return Confidence(chances, right).log_loss(weights)


def test_a_label_of_which_nothing_is_right_is_shifted_no_farther_than_allowed() -> None:
    labels, right = np.array(["LOC"] * FEWEST), np.zeros(FEWEST, dtype=bool)
    assert label_shifts(np.full(FEWEST, 0.9), right, labels, np.ones(FEWEST)) == {"LOC": -MOST_SHIFT}


def test_too_little_to_fit_on_leaves_probabilities_alone(
    tagger: Tagger, documents: list[Document], store: FeatureStore
) -> None:
    told: list[str] = []
    found = fit_temperatures(tagger, documents[:1], store, LANGUAGES, seen=set(), new_forms=0.7, notify=told.extend)
    assert found == Temperatures()
    assert [line.split(",")[0] for line in told] == ["temperatures: 1.0 of spans", "temperatures: 1.0 of languages"]
    assert told[1].endswith("have 2 sentences of known language, and 50 are needed")


def test_a_head_without_classifier_has_no_temperature_of_languages_to_miss(
    tagger: Tagger, documents: list[Document], store: FeatureStore
) -> None:
    found = predicted(tagger, documents[:1], store, LANGUAGES, set())
    assert len(shortages(found, has_languages=False)) == 1
