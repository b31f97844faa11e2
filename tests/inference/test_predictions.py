"""The predicted language of a document."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.inference.predictions import LEAST_SURE, guess_language


def rows(*probabilities: list[float]) -> np.ndarray:
    return np.log(np.array(probabilities, dtype=np.float32))


def test_one_sentence_says_what_it_is() -> None:
    found = guess_language(rows([0.1, 0.7, 0.2]), ["cs", "pl", "ru"])
    assert found.language == "pl"
    assert found.probability == pytest.approx(0.7)


def test_a_long_text_is_no_surer_than_its_sentences() -> None:
    found = guess_language(rows(*[[0.6, 0.4]] * 1000), ["cs", "pl"])
    assert found.language == "cs"
    assert found.probability == pytest.approx(0.6)


@pytest.mark.parametrize("probabilities", [[0.3, 0.4, 0.3], [0.25] * 4, [0.49, 0.48, 0.03]])
def test_where_none_is_likelier_than_all_others_it_is_unknown(probabilities: list[float]) -> None:
    found = guess_language(rows(probabilities), ["bg", "cs", "pl", "ru"])
    assert found.language == "und"
    assert found.probability == pytest.approx(max(probabilities))


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_probability_is_one_and_decides(weights: list[list[float]]) -> None:
    shares = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    found = guess_language(np.log(shares).astype(np.float32), ["bg", "cs", "pl"])
    assert 1 / 3 - 1e-6 <= found.probability <= 1
    assert (found.language == "und") == (found.probability < LEAST_SURE)
