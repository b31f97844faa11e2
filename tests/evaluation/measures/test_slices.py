from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ner_head.corpus.documents import Document, Span
from ner_head.evaluation.measures.slices import SliceCounts, form, forms, gain, strict_scores

TEXT = "Jana Malá řídí firmu Orel v Praze."
GOLD = Document("1", TEXT, "cs", "news", (), (Span(0, 9, "PER"), Span(21, 25, "ORG"), Span(28, 33, "LOC")))
FOUND = replace(GOLD, spans=(Span(0, 4, "PER"), Span(21, 25, "PRO"), Span(28, 33, "LOC"), Span(10, 14, "LOC")))
OTHER = replace(GOLD, id="2", language="pl", topic="sport", spans=(Span(0, 9, "PER"),))


def many(n: int, right: int) -> tuple[list[Document], list[Document]]:
    """n documents with one gold span each; those of the first `right` are predicted."""
    gold = [replace(OTHER, id=str(i)) for i in range(n)]
    return gold, [document if i < right else replace(document, spans=()) for i, document in enumerate(gold)]


def test_only_exact_offsets_with_the_right_type_count() -> None:
    scores = strict_scores([GOLD], [FOUND])
    wanted = {"precision": 1 / 4, "recall": 1 / 3, "f1": 2 / 7, "gold": 3, "predicted": 4}
    assert {name: scores["micro"][name] for name in wanted} == wanted
    assert scores["per_type"]["LOC"]["f1"] == 2 / 3
    assert scores["per_type"]["PRO"]["f1"] == 0.0
    assert scores["macro"]["f1"] == (2 / 3 + 0 + 0) / 3  # the gold has no PRO


def test_scores_are_kept_apart_by_language_and_topic() -> None:
    scores = strict_scores([GOLD, OTHER], [FOUND, OTHER])
    assert [scores["per_language"][name]["f1"] for name in ("cs", "pl")] == [2 / 7, 1.0]
    assert [scores["per_topic"][name]["f1"] for name in ("news", "sport")] == [2 / 7, 1.0]
    assert scores["micro"]["gold"] == 4


def test_a_form_is_seen_if_train_has_it_with_that_type() -> None:
    train = replace(GOLD, text="V PRAZE\nměl Jana Malá Orel.", spans=(Span(2, 7, "LOC"), Span(22, 26, "PRO")))
    assert forms([train]) == {("praze", "LOC"), ("orel", "PRO")}
    scores = strict_scores([GOLD], [FOUND], forms([train]))["per_form"]
    counts = {kind: [found["gold"], found["predicted"], found["f1"]] for kind, found in scores.items()}
    # gold: Praze is seen, Orel as ORG is unseen; predicted: Praze and Orel as PRO are seen
    assert counts == {"seen": [1, 2, 2 / 3], "unseen": [2, 2, 0.0]}
    assert form(replace(GOLD, text="Jana\n\tMalá"), Span(0, 10, "PER")) == ("jana malá", "PER")


def test_intervals_are_those_of_resampled_documents() -> None:
    gold, found = many(100, 60)
    scores = strict_scores(gold, found)["micro"]
    shares = np.random.default_rng(1).binomial(100, 0.6, 100_000) / 100  # recall of a resample; its F1 is 2r / (1 + r)
    low, high = np.quantile(2 * shares / (1 + shares), [0.025, 0.975])
    assert scores["f1_low"] == pytest.approx(low, abs=0.015)
    assert scores["f1_high"] == pytest.approx(high, abs=0.015)
    assert scores["f1_low"] < scores["f1"] < scores["f1_high"]
    assert strict_scores(gold, found) == strict_scores(gold, found)  # seeded


def test_whole_documents_are_drawn() -> None:
    big = replace(GOLD, spans=tuple(Span(i, i + 1, "PER") for i in range(30)))
    small = [replace(GOLD, id=str(i), spans=(Span(0, 1, "PER"),)) for i in range(9)]
    counts = SliceCounts.of([big, *small], [big, *(replace(d, spans=()) for d in small)], frozenset())
    drawn = counts.resampled()[:, 0]
    assert set((drawn[:, 0] % 30).tolist()) == {0}
    assert drawn[:, 0].min() == 0  # resamples without the big document
    assert counts.resampled(seed=1).tolist() != counts.resampled().tolist()


@pytest.mark.parametrize(("n", "has_interval"), [(1, False), (9, False), (10, True)])
def test_an_interval_needs_ten_documents(n: int, has_interval: bool) -> None:
    gold, found = many(n, n // 2)
    scores = strict_scores(gold, found)
    shown = [scores["micro"], scores["macro"], scores["per_language"]["pl"], gain(gold, found, gold)]
    assert [{"f1_low", "f1_high"} <= set(each) for each in shown] == [has_interval] * 4


def test_a_slice_of_few_documents_has_no_interval_where_the_whole_has_one() -> None:
    gold, found = many(20, 10)
    scores = strict_scores([*gold, GOLD], [*found, FOUND])
    assert "f1_low" in scores["micro"]
    assert "f1_low" in scores["per_language"]["pl"]
    assert "f1_low" not in scores["per_language"]["cs"]
    assert "f1_low" not in scores["per_type"]["ORG"]


@pytest.mark.parametrize("label", ["all", "seen", "micro", "cs", "news", "f1", "O"])
def test_a_label_called_like_a_slice_has_a_row_of_its_own(label: str) -> None:
    gold = replace(GOLD, spans=(*GOLD.spans, Span(10, 14, label)))
    scores = strict_scores([gold], [replace(FOUND, spans=(Span(10, 14, label),))])
    assert scores["per_type"][label]["f1"] == 1.0
    assert scores["micro"]["recall"] == scores["per_language"]["cs"]["recall"] == 1 / 4


def test_no_documents_have_scores_too() -> None:
    empty = strict_scores([], [])
    assert empty["micro"]["f1"] == empty["macro"]["f1"] == 0.0
    assert empty["per_type"] == {}


def test_what_is_hard_for_both_taggers_cancels_out_of_their_difference() -> None:
    gold, found = many(100, 60)
    _, worse = many(100, 55)
    difference = gain(gold, found, worse)
    assert difference["f1"] == pytest.approx(2 * 0.6 / 1.6 - 2 * 0.55 / 1.55)
    own = strict_scores(gold, found)["micro"]
    assert difference["f1_high"] - difference["f1_low"] < (own["f1_high"] - own["f1_low"]) / 2
    assert difference["f1_low"] > 0
    assert gain(gold, found, found) == {"f1": 0.0, "f1_low": 0.0, "f1_high": 0.0}
