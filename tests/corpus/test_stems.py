from __future__ import annotations

import pytest

from ner_head.corpus.stems import plain


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("prezi", ["президент", "prezident", "prezydent", "Президентът", "PREZYDENTA"]),
        ("minis", ["министър", "министр", "ministr", "minister"]),
        ("varsa", ["Варшава", "Varšava", "Warszawa"]),
        ("v", ["в", "v", "w"]),
    ],
)
def test_what_is_alike_in_four_languages_is_spelt_alike(expected: str, words: list[str]) -> None:
    assert {plain(word)[:5] for word in words} == {expected}


def test_accents_composed_or_not_are_the_same() -> None:
    assert plain("Londýn") == plain("Londy\u0301n") == "londin"


def test_marks_digits_and_other_alphabets_stay_what_they_are() -> None:
    assert [plain(word) for word in ("12", "%", "Việt", "ΑΒ", "")] == ["12", "%", "vet", "αβ", ""]
