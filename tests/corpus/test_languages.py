from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import UsageError
from ner_head.corpus.languages import normalize, same_language, tidy, two_letters


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *(("cs", "cs"), ("PL", "pl"), ("uk", "uk"), ("und", "und"), ("UND", "und")),
        *(("pol", "pl"), ("ces", "cs"), ("CZE", "cs"), ("deu", "de"), ("ger", "de"), ("rum", "ro"), ("ukr", "uk")),
        *(("pl-PL", "pl"), ("zh_Hans_CN", "zh"), ("ces-CZ", "cs"), ("csb", "csb"), ("HSB", "hsb")),
    ],
)
def test_codes_of_one_language_become_one(code: str, expected: str) -> None:
    assert normalize(code) == expected


@pytest.mark.parametrize(
    "code", ["xx", "qq", "", " ", "p", "polish", "czech", "pl-", "-pl", "12", "pl pl", "пл", "\udce9"]
)
def test_what_is_no_code_is_one_line(code: str) -> None:
    with pytest.raises(
        UsageError, match=r"no code of ISO 639, such as cs, pl or uk; und where it is unknown"
    ) as refused:
        normalize(code)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=8))
def test_a_normal_code_is_its_own_normal_code(code: str) -> None:
    try:
        found = normalize(code)
    except UsageError:
        return
    assert normalize(found) == normalize(found.upper()) == found


@pytest.mark.parametrize(("code", "expected"), [("CS", "cs"), (" pl ", "pl"), ("zh_TW", "zh-tw"), ("und", "und")])
def test_codes_are_compared_in_small_letters(code: str, expected: str) -> None:
    assert tidy(code) == expected


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
