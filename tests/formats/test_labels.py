from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.formats.labels import clean, fault, look_alikes


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("PER ", "PER"),
        ("\u200bPER\ufeff", "PER"),
        ("Full \t Name", "Full Name"),
        ("PER\nLOC", "PER LOC"),
        ("Full\u00a0Name", "Full Name"),
        ("ORG|firma", "ORG|firma"),
        ("  ", ""),
    ],
)
def test_labels_are_cleaned_of_white_space(label: str, expected: str) -> None:
    assert clean(label) == expected


@given(st.text())
def test_a_clean_label_without_fault_fits_into_every_table_of_fields(label: str) -> None:
    cleaned = clean(label)
    assert clean(cleaned) == cleaned
    if fault(cleaned) is None:
        assert cleaned
        assert not set("\t\n\r\0\x1c\u2028") & set(cleaned)
        cleaned.encode()


@pytest.mark.parametrize("label", ["", "A\x07", "A\x00B", "\ud800", "(missed)", "(spurious)"])
def test_what_cannot_be_a_label_has_a_reason(label: str) -> None:
    assert fault(label)


@pytest.mark.parametrize(
    "label", ["all", "seen", "micro", "cs", "O", "X", "B-PER", "ORG|firma", "loc.city", "人名", "%20"]
)
def test_names_of_totals_and_languages_are_labels_like_others(label: str) -> None:
    assert fault(clean(label)) is None


def test_labels_that_differ_in_case_alone_are_named() -> None:
    assert look_alikes(["PER", "LOC", "per", "Ｌoc", "ORG"]) == [("LOC", "Ｌoc"), ("PER", "per")]
