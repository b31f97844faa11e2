from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ner_head.features.store.codes import Coded, bytes_per_piece, decode, encode, is_finite
from ner_head.features.store.spec import Code

CODES: list[Code] = ["float16", "bfloat16", "float32", "int8"]
STATES = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 8)),
    elements=st.floats(-60000, 60000, width=32),
)
# half a unit in the last place, relative to the value; for int8 to the largest of the vector
BOUND = {"float16": 2**-11, "bfloat16": 2**-8, "float32": 0.0, "int8": 0.5 / 127 * 1.001}


@pytest.mark.parametrize("code", CODES)
@given(states=STATES)
def test_rounding_stays_within_the_codes_bound(code: Code, states: np.ndarray) -> None:
    found = decode(encode(torch.from_numpy(states), code), code).astype(np.float64)
    size = np.abs(states).max(-1, keepdims=True) if code == "int8" else np.abs(states)
    tiny = 2.0**-24 if code == "float16" else 1e-37
    assert (np.abs(found - states) <= BOUND[code] * size + tiny).all()


@pytest.mark.parametrize("code", CODES)
@given(states=STATES)
def test_what_was_rounded_once_stays(code: Code, states: np.ndarray) -> None:
    once = decode(encode(torch.from_numpy(states), code), code)
    twice = decode(encode(torch.from_numpy(once.astype(np.float32)), code), code)
    np.testing.assert_allclose(twice, once, rtol=1e-6 if code == "int8" else 0)


def test_bfloat16_is_the_upper_half_of_a_float32() -> None:
    states = torch.tensor([[[1.0, -2.0, 3.140625]]])
    assert encode(states, "bfloat16").values.tolist() == [[[0x3F80, 0xC000, 0x4049]]]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_numbers_are_seen(code: Code, bad: float) -> None:
    states = torch.zeros(2, 2, 3)
    assert is_finite(encode(states, code), code)
    states[1, 0, 2] = bad
    assert not is_finite(encode(states, code), code)


def test_a_number_beyond_float16_is_seen() -> None:
    assert not is_finite(encode(torch.full((1, 1, 1), 1e6), "float16"), "float16")
    assert is_finite(encode(torch.full((1, 1, 1), 1e6), "bfloat16"), "bfloat16")


def test_bytes_of_a_piece_are_what_is_stored() -> None:
    states = torch.randn(5, 3, 16)
    for code in CODES:
        found = encode(states, code)
        stored = found.values.nbytes + (found.scale.nbytes if found.scale is not None else 0)
        assert stored == 5 * bytes_per_piece(code, 3, 16)


def test_float16_is_read_without_a_copy() -> None:
    values = np.zeros((2, 2, 2), np.float16)
    assert decode(Coded(values), "float16") is values
