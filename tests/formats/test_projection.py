from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import projection as benchmark
from ner_head.corpus.documents import Document, Span
from ner_head.formats.projection import project
from tests.corpus.strategies import texts


def found(text: str, *forms: str) -> list[str]:
    spans = project(text, dict.fromkeys(forms, "ORG")).spans
    return [text[span.start : span.end] for span in spans]


def test_every_occurrence_is_found() -> None:
    assert project("EU a EU.", {"EU": "ORG"}) == ([Span(0, 2, "ORG"), Span(5, 7, "ORG")], [], [])


def test_the_longest_form_takes_its_words_from_the_shorter() -> None:
    assert found("Soud v Londýně, Londýn", "Soud v Londýně", "Londýně", "Londýn") == ["Soud v Londýně", "Londýn"]


def test_only_whole_words_match() -> None:
    assert project("Китайските EU27", {"Китай": "LOC", "EU": "ORG"}) == ([Span(11, 13, "ORG")], ["Китай"], [])


def test_case_counts_where_the_exact_form_is_there() -> None:
    assert project("Brexit, BREXIT", {"Brexit": "EVT"}) == ([Span(0, 6, "EVT")], [], [])
    assert project("US, us", {"US": "LOC", "us": "PRO"}).spans == [Span(0, 2, "LOC"), Span(4, 6, "PRO")]


def test_a_form_that_is_there_in_other_case_alone_is_found_and_told() -> None:
    labels = {"brexit": "EVT", "Evropská Unie": "ORG", "Brno": "LOC"}
    assert project("BREXIT a Evropská unie", labels) == (
        [Span(0, 6, "EVT"), Span(9, 22, "ORG")],
        ["Brno"],
        ["brexit", "Evropská Unie"],
    )


def test_forms_as_written_come_before_longer_ones_in_other_case() -> None:
    assert project("Bank Anglie", {"bank anglie": "ORG", "Anglie": "LOC"}) == ([Span(5, 11, "LOC")], [], [])


def test_zero_width_characters_and_soft_hyphens_do_not_hide_a_mention() -> None:
    text = "Тереза \u200b\u200bМай, Citi\u00adbank Europe"
    assert found(text, "Тереза Май", "Citibank Europe") == ["Тереза \u200b\u200bМай", "Citi\u00adbank Europe"]


def test_composed_and_decomposed_letters_are_equal() -> None:
    assert found("Mayova\u0301", "Mayová") == ["Mayova\u0301"]


def test_white_space_matches_any_white_space_but_not_its_absence_nor_a_blank_line() -> None:
    assert found("Evropská\u00a0 unie, Evropská\r\nunie", "Evropská unie") == [
        "Evropská\u00a0 unie",
        "Evropská\r\nunie",
    ]
    assert found("EU27\n\nEvropská\r\n\r\nunie, Evropská-unie", "EU 27", "Evropská unie") == []


def test_a_form_without_words_is_not_found() -> None:
    assert project("\u200b a", {"\u200b": "ORG", "": "ORG"}) == ([], ["\u200b", ""], [])


@given(texts, st.lists(texts, max_size=4))
def test_spans_never_overlap_and_missing_forms_are_named(text: str, forms: list[str]) -> None:
    spans, missing, other_case = project(text, dict.fromkeys(forms, "ORG"))
    assert all(before.end <= after.start for before, after in pairwise(spans))
    assert set(missing) | set(other_case) <= set(forms)
    assert not set(missing) & set(other_case)


def test_the_benchmark_compares_by_visible_characters() -> None:
    spans = (Span(4, 6, "ORG"),)
    assert benchmark.comparable_spans(Document("1", "a\r\n\u200bEU", spans=spans)) == {(1, 3, "ORG")}
    assert benchmark.stripped(Document("1", "a\r\n\u200bEU")) == "aEU"


def test_projection_reaches_the_bars(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(corpora / "bsnlp2019", corpora / "slavicner")
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| all"))
    recall, precision = (float(cell) for cell in row.split("|")[4:6])
    assert min(recall, precision) >= benchmark.BAR
