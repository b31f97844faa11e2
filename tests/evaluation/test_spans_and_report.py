from __future__ import annotations

import json
from dataclasses import replace

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment
from ner_head.evaluation.report import (
    LanguageHits,
    from_json,
    has_scores,
    language_hits,
    metrics,
    table,
    to_json,
)
from ner_head.evaluation.spans import confusion, strict_scores, word_labels, word_macro_f1

TEXT = "Jana Malá řídí firmu Orel v Praze."
SPANS = (Span(0, 9, "PER"), Span(21, 25, "ORG"), Span(28, 33, "LOC"))
GOLD = Document("1", TEXT, "cs", "t", segment(TEXT, "cs"), SPANS)
FOUND = replace(GOLD, spans=(Span(0, 4, "PER"), Span(21, 25, "PRO"), Span(28, 33, "LOC"), Span(10, 14, "LOC")))


def test_only_exact_offsets_with_the_right_type_count() -> None:
    scores = strict_scores([GOLD], [FOUND])
    assert scores["micro"] == {"precision": 1 / 4, "recall": 1 / 3, "f1": 2 / 7, "gold": 3, "predicted": 4}
    assert scores["per_type"]["LOC"] == {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "gold": 1, "predicted": 2}
    assert scores["per_type"]["PRO"]["f1"] == 0.0
    assert scores["macro"]["f1"] == (2 / 3 + 0 + 0) / 3  # PRO is in no gold
    assert scores["per_language"]["cs"] == scores["micro"]


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
    assert word_labels(GOLD) == ["PER", "PER", "O", "O", "ORG", "O", "LOC", "O"]
    assert word_labels(replace(GOLD, spans=(Span(0, 2, "PER"),)))[:2] == ["PER", "O"]


def test_word_macro_f1_counts_o_as_a_label() -> None:
    # O: 4 gold, 4 predicted (one wrong: Malá), 3 right; PER 2/3; ORG 0; LOC 1 of 2 predicted
    o, per, org, loc = 2 * 3 / 8, 2 / 3, 0.0, 2 / 3
    assert abs(word_macro_f1([GOLD], [FOUND]) - (o + per + org + loc) / 4) < 1e-12


def test_confusion_tells_missed_and_spurious() -> None:
    assert sorted(confusion([GOLD], [FOUND])) == [
        ("LOC", "LOC"),
        ("ORG", "PRO"),
        ("PER", "missed"),
        ("spurious", "LOC"),
        ("spurious", "PER"),
    ]


def test_language_is_counted_where_it_is_known() -> None:
    unknown = replace(GOLD, language="und")
    hits = language_hits([GOLD, unknown, GOLD], [["cs", "pl"], ["cs"], []])
    assert (hits.right, hits.total, hits.accuracy) == (1, 2, 0.5)


def test_the_table_names_every_type_and_language_and_tagger() -> None:
    head, baseline = metrics([GOLD], [FOUND], LanguageHits(9, 10)), metrics([GOLD], [GOLD])
    lines = table("dev", {"head": head, "baseline": baseline}).splitlines()
    assert lines[0] == "| dev | gold spans | head precision | recall | F1 | baseline precision | recall | F1 |"
    assert lines[1].count("---|") == lines[0].count("|") - 1
    assert lines[2] == "| **all (micro)** | 3 | 0.250 | 0.333 | 0.286 | 1.000 | 1.000 | 1.000 |"
    assert [line.split()[1] for line in lines[3:8]] == ["LOC", "ORG", "PER", "PRO", "cs"]
    assert lines[6] == "| PRO | 0 | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 |"  # the baseline has no such row
    assert lines[9].startswith("- head: macro F1 over types 0.222; ")
    assert lines[9].endswith("; language accuracy 0.900 over 10 sentences")
    assert "; strict F1 of the BSNLP task (forms, not positions) 0.286; " in lines[9]
    assert lines[10].startswith("- baseline: macro F1 over types 1.000; ")
    assert lines[10].endswith("; word-level macro F1 (with O) 1.000")


def test_a_tagger_that_guesses_no_languages_has_no_score_of_them() -> None:
    assert "language" not in metrics([GOLD], [FOUND])
    assert metrics([GOLD], [FOUND], LanguageHits(9, 10))["language"] == {"accuracy": 0.9, "sentences": 10}


def test_metrics_read_back_as_written_with_dev_on_top() -> None:
    dev, test = metrics([GOLD], [FOUND], LanguageHits(9, 10)), metrics([GOLD], [GOLD])
    assert json.loads(to_json({"dev": dev}))["strict"]["micro"]["gold"] == 3
    assert from_json(to_json({"dev": dev})) == {"dev": dev}
    assert from_json(to_json({"dev": dev, "test": test})) == {"dev": dev, "test": test}


def test_a_split_without_gold_has_no_scores_unless_it_is_dev() -> None:
    blind = replace(GOLD, spans=())
    assert has_scores("dev", [blind])
    assert has_scores("test", [blind, GOLD])
    assert not has_scores("test", [blind])
    assert not has_scores("test", [])
