from __future__ import annotations

from dataclasses import replace

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment
from ner_head.evaluation.report import LanguageHits, language_hits, metrics, table
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


def test_the_table_names_every_type_and_language() -> None:
    text = table("dev", metrics([GOLD], [FOUND], LanguageHits(9, 10)))
    assert "| **all (micro)** | 0.250 | 0.333 | 0.286 | 3 |" in text
    for name in ("LOC", "ORG", "PER", "PRO", "cs"):
        assert f"| {name} |" in text
    assert "language accuracy 0.900 over 10 sentences" in text
