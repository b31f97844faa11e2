from __future__ import annotations

import pytest

from ner_head.corpus.languages import normalise, same_language, two_letters


@pytest.mark.parametrize(("code", "expected"), [("CS", "cs"), (" pl ", "pl"), ("zh_TW", "zh-tw"), ("und", "und")])
def test_codes_are_compared_in_small_letters(code: str, expected: str) -> None:
    assert normalise(code) == expected


@pytest.mark.parametrize(("code", "expected"), [("ces", "cs"), ("CZE", "cs"), ("cs", "cs"), ("hsb", None), ("", None)])
def test_longer_codes_have_one_of_two_letters(code: str, expected: str | None) -> None:
    assert two_letters(code) == expected


@pytest.mark.parametrize(
    ("code", "others", "expected"),
    [
        ("cs", ["de", "ces"], "ces"),
        ("ces", ["cs"], "cs"),
        ("cs", ["cs-cz"], "cs-cz"),
        ("hsb", ["hsb-de", "dsb"], "hsb-de"),
        ("cs", ["cs", "pl"], None),
    ],
)
def test_another_code_of_the_same_language_is_found(code: str, others: list[str], expected: str | None) -> None:
    assert same_language(code, others) == expected
