from __future__ import annotations

import json
from dataclasses import replace

import pytest
import regex

from ner_head.corpus.documents import Document, Reading, Span
from ner_head.corpus.results import Guess, Prediction, Temperatures
from ner_head.corpus.segment import segment
from ner_head.evaluation.measures.slices import forms, strict_scores
from ner_head.evaluation.measures.spans import confusion, has_gold, word_labels, word_macro_f1
from ner_head.evaluation.report import (
    LanguageHits,
    Metrics,
    digest,
    from_json,
    head_metrics,
    language_hits,
    metrics,
    to_json,
)
from ner_head.evaluation.tables import strict_table, tables

TEXT = "Jana Malá řídí firmu Orel v Praze."
SPANS = (Span(0, 9, "PER"), Span(21, 25, "ORG"), Span(28, 33, "LOC"))
GOLD = Document("1", TEXT, "cs", "t", segment(TEXT, "cs"), SPANS)
FOUND = replace(GOLD, spans=(Span(0, 4, "PER"), Span(21, 25, "PRO"), Span(28, 33, "LOC"), Span(10, 14, "LOC")))


def test_counts_add_up_over_documents() -> None:
    perfect = replace(GOLD, id="2", language="pl")
    scores = strict_scores([GOLD, perfect], [FOUND, perfect])
    assert scores["micro"]["gold"] == 6
    assert scores["micro"]["precision"] == 4 / 7
    assert scores["per_language"]["pl"]["f1"] == 1.0


def test_no_documents_score_zero() -> None:
    assert strict_scores([], [])["micro"]["f1"] == 0.0
    assert strict_scores([], [])["macro"]["f1"] == 0.0
    assert word_macro_f1([], []) == 0.0
    assert LanguageHits(0, 0).accuracy == 0.0


def test_word_labels_take_in_words_that_an_entity_touches() -> None:
    assert word_labels(GOLD) == ["PER", "PER", None, None, "ORG", None, "LOC", None]
    assert word_labels(replace(GOLD, spans=(Span(0, 2, "PER"),)))[:2] == ["PER", None]


def test_word_macro_f1_counts_o_as_a_label() -> None:
    # O: 4 gold, 4 predicted (one wrong: Malá), 3 right; PER 2/3; ORG 0; LOC 1 of 2 predicted
    o, per, org, loc = 2 * 3 / 8, 2 / 3, 0.0, 2 / 3
    assert abs(word_macro_f1([GOLD], [FOUND]) - (o + per + org + loc) / 4) < 1e-12


def test_confusion_tells_missed_and_spurious() -> None:
    assert sorted(confusion([GOLD], [FOUND])) == [
        ("(spurious)", "LOC"),
        ("(spurious)", "PER"),
        ("LOC", "LOC"),
        ("ORG", "PRO"),
        ("PER", "(missed)"),
    ]


def test_language_is_counted_where_it_is_known() -> None:
    unknown = replace(GOLD, language="und")
    hits = language_hits([GOLD, unknown, GOLD], [["cs", "pl"], ["cs"], []])
    assert (hits.right, hits.total, hits.accuracy) == (1, 2, 0.5)


def test_the_table_names_every_type_and_language_and_tagger() -> None:
    head, baseline = metrics([GOLD], [FOUND], frozenset(), LanguageHits(9, 10)), metrics([GOLD], [GOLD])
    head["gain"] = {"f1": -0.7143, "f1_low": -0.8, "f1_high": 0.01}
    lines = strict_table("dev", {"head": head, "baseline": baseline}).splitlines()
    assert lines[0] == (
        "| dev | gold spans | head precision | recall | F1 (95 %) | baseline precision | recall | F1 (95 %) |"
    )
    assert lines[1].count("---|") == lines[0].count("|") - 1
    assert lines[2] == ("| **all (micro)** | 3 | 0.250 | 0.333 | 0.286 | 1.000 | 1.000 | 1.000 |")
    assert [line.split()[1] for line in lines[3:9]] == ["LOC", "ORG", "PER", "PRO", "language", "unseen"]
    assert lines[6].startswith("| PRO | 0 | 0.000 | 0.000 | 0.000 | 0.000 |")  # not the baseline's
    assert lines[10].startswith("- head: macro F1 over types 0.222; ")
    assert lines[10].endswith("; language accuracy 0.900 over 10 sentences")
    assert "; strict F1 of the BSNLP task (forms, not positions) 0.286; " in lines[10]
    assert lines[11].startswith("- baseline: macro F1 over types 1.000")
    assert lines[11].endswith("; word-level macro F1 (with O) 1.000")
    assert lines[12] == "- head above baseline: -0.714 F1 (95 %: -0.800 to +0.010)"
    assert lines[13] == "- no interval for fewer than 10 documents: too few to resample"
    assert len(lines) == 14


def test_names_of_the_corpus_cannot_change_a_table() -> None:
    gold = replace(GOLD, language="x|y", spans=(Span(0, 9, "ORG|firma"), Span(21, 25, "*a* `b` <i> [c](d) _e_ f_g")))
    shown = tables("dev", {"head": metrics([gold], [gold])})
    for table in shown.split("\n\n"):
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len({len(regex.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1
    assert r"| ORG\|firma | 1 |" in shown
    assert r"\*a\* \`b\` \<i\> \[c\](d) \_e\_ f_g" in shown
    assert r"| language x\|y | 2 |" in shown


def test_a_label_called_o_is_not_the_absence_of_a_label() -> None:
    gold = replace(GOLD, spans=(Span(0, 9, "O"),))
    assert word_macro_f1([gold], [gold]) == 1.0
    assert word_macro_f1([gold], [replace(gold, spans=())]) == pytest.approx((0 + 2 * 6 / 14) / 2)


def test_topics_are_rows_where_there_are_several() -> None:
    both = metrics([GOLD, replace(GOLD, topic="sport")], [FOUND, FOUND])
    assert "| topic t | 3 |" in strict_table("dev", {"head": both})
    assert "| topic t | 3 |" not in strict_table("dev", {"head": metrics([GOLD], [FOUND])})


def full() -> Metrics:
    """Metrics of a head with temperatures, whose best reading is FOUND and second reading GOLD."""

    def prediction(chance: float, guess: float) -> Prediction:
        spans = tuple(replace(span, probability=chance) for span in FOUND.spans)
        readings = [[Reading(0.6, spans), Reading(0.4, SPANS)]]
        return Prediction(replace(FOUND, spans=spans), [Guess("cs", guess)], readings)

    temperatures = Temperatures(spans=1.5, languages=2.0)
    return head_metrics([GOLD], [prediction(0.25, 0.9)], [prediction(0.75, 0.99)], temperatures, forms([GOLD]))


def test_a_head_has_calibration_and_oracle_scores_too() -> None:
    found = full()
    assert found["calibration"]["spans"] == {"temperature": 1.5, "ece_before": 0.5, "ece": 0.0}
    assert found["calibration"]["languages"] == {
        "temperature": 2.0,
        "ece_before": pytest.approx(0.01),
        "ece": pytest.approx(0.1),
    }
    assert found["oracle"] == {"1": 2 / 7, "2": 1.0}
    assert found["strict"]["per_form"]["seen"]["recall"] == 1 / 3
    shown = tables("dev", {"head": found, "baseline": metrics([GOLD], [GOLD])})
    assert "| probabilities of spans | 1.500 | 0.5000 | 0.0000 |" in shown
    assert "| F1 of the best choice | 0.286 | 1.000 |" in shown
    assert "| partial | 0.625 | 0.833 | 0.714 | 2 | 0 | 1 | 0 | 1 | " in shown
    assert shown.count("| strict | ") == 2  # the schemas of both taggers
    assert shown.count("temperature") == 1  # the baseline has none


def test_the_digest_is_short_and_the_details_are_whole() -> None:
    scores = {"dev": full(), "test": full()}
    scores["dev"]["strict"] = strict_scores([GOLD] * 10, [FOUND] * 10)
    short, details = json.loads(digest(scores)), from_json(to_json(scores))
    assert details == scores
    assert "f1_low" in details["dev"]["strict"]["per_type"]["LOC"]
    few = ["f1", "precision", "recall", "macro_f1", "task_f1", "language", "ece"]
    assert list(short) == [*few, "test"]
    assert list(short["test"]) == few
    assert short["f1"] == round(details["dev"]["strict"]["micro"]["f1"], 4)
    assert short["test"]["ece"] == round(details["test"]["calibration"]["spans"]["ece"], 4)


def test_a_tagger_that_guesses_no_languages_has_no_score_of_them() -> None:
    assert "language" not in metrics([GOLD], [FOUND])
    assert metrics([GOLD], [FOUND], frozenset(), LanguageHits(9, 10))["language"] == {"accuracy": 0.9, "sentences": 10}


def test_metrics_read_back_as_written_with_dev_on_top() -> None:
    dev, test = metrics([GOLD], [FOUND], frozenset(), LanguageHits(9, 10)), metrics([GOLD], [GOLD])
    assert json.loads(to_json({"dev": dev}))["strict"]["micro"]["gold"] == 3
    assert from_json(to_json({"dev": dev})) == {"dev": dev}
    assert from_json(to_json({"dev": dev, "test": test})) == {"dev": dev, "test": test}


def test_splits_that_are_not_there_leave_no_trace() -> None:
    test = metrics([GOLD], [GOLD])
    assert from_json(to_json({"test": test})) == {"test": test}
    assert from_json(to_json({})) == {}
    assert json.loads(digest({})) == {}
    assert set(json.loads(digest({"test": test}))) == {"test"}


def test_a_split_without_documents_or_gold_has_no_scores() -> None:
    blind = replace(GOLD, spans=())
    assert has_gold([blind, GOLD])
    assert not has_gold([blind])
    assert not has_gold([])
