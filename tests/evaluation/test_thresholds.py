"""Thresholds of a wanted precision: the lowest that reach it, with few spans held back, and checked elsewhere."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from ner_head.corpus.documents import Document, Span
from ner_head.evaluation.measures.calibration import Confidence
from ner_head.evaluation.measures.spans import Counts
from ner_head.evaluation.thresholds import LabelThresholds, counts, cross_checked, least_of, thresholds

WORDS = "abcdefghijklmnopqrstuvwxyz"


def corpus(n_documents: int, seed: int) -> tuple[list[Document], list[Document]]:
    """Gold and predicted documents: a predicted span of probability p is right with probability p."""
    rng = random.Random(seed)
    gold, predicted = [], []
    for number in range(n_documents):
        words = ["".join(rng.choices(WORDS, k=5)) for _ in range(40)]
        document = Document(str(number), " ".join(words), "cs", "t")
        wanted, found = [], []
        for word in range(0, 40, 2):
            chance, start = rng.random(), word * 6
            found.append(Span(start, start + 5, "PER", chance))
            if rng.random() < chance:
                wanted.append(Span(start, start + 5, "PER"))
        gold.append(replace(document, spans=tuple(wanted)))
        predicted.append(replace(document, spans=tuple(found)))
    return gold, predicted


def test_the_threshold_is_the_lowest_that_reaches_the_precision() -> None:
    rng = np.random.default_rng(0)
    chances = rng.random(300)
    right = rng.random(300) < chances
    found = LabelThresholds.of(Confidence(chances, right), int(right.sum()))

    def claimed(least: float) -> float:
        return float(right[chances >= least].sum() / ((chances >= least).sum() + 1))

    for precision in (0.5, 0.7, 0.8, 0.9):
        reaching = [least for least in np.floor(chances * 1e6) / 1e6 if claimed(least) >= precision]
        step = found.step(precision)
        assert step is not None
        assert step.threshold == min(reaching)
        assert step.assured == claimed(step.threshold)
    assert found.step(0.999) is None
    assert found.highest < 0.999


def test_few_spans_do_not_claim_a_high_precision() -> None:
    found = LabelThresholds.of(Confidence(np.full(18, 0.875), np.ones(18, dtype=bool)), 18)
    assert found.step(0.95) is None
    assert found.highest == 18 / 19
    found = LabelThresholds.of(Confidence(np.full(19, 0.875), np.ones(19, dtype=bool)), 19)
    assert found.step(0.95) == (0.875, 19, 19)


def test_thresholds_keep_their_precision_on_other_documents() -> None:
    gold, predicted = corpus(60, seed=1)
    found = thresholds(gold, predicted, ["LOC", "PER"])
    least = least_of(found, 0.9)
    assert list(least) == ["PER"]  # no LOC was found: it reaches no precision
    checked = cross_checked(gold, predicted, ["PER"], 0.9)
    assert checked is not None
    assert 0.85 < checked.scores()["precision"] < 0.95
    other = sum(counts(*corpus(200, seed=2), least).values(), Counts())
    assert 0.87 < other.scores()["precision"] < 0.94


def test_few_documents_are_not_checked_and_labels_without_a_threshold_are_not_kept() -> None:
    gold, predicted = corpus(5, seed=0)
    assert cross_checked(gold, predicted, ["PER"], 0.9) is None
    total = sum(len(document.spans) for document in gold)
    assert counts(gold, predicted, {}) == {"PER": Counts(0, 0, total)}
