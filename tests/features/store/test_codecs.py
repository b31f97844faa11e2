from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ner_head.features.store.codecs import CODECS, Codec, Coded
from ner_head.features.store.spec import EncoderSpec

STATES = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 8)),
    elements=st.floats(-60000, 60000, width=32),
)
# half a unit in the last place, relative to the value; for int8 to the largest of the vector
BOUND = {"float16": 2**-11, "bfloat16": 2**-8, "float32": 0.0, "int8": 0.5 / 127 * 1.001}


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@given(states=STATES)
def test_rounding_stays_within_the_codecs_bound(codec: Codec, states: np.ndarray) -> None:
    found = codec.decode(codec.encode(torch.from_numpy(states))).astype(np.float64)
    size = np.abs(states).max(-1, keepdims=True) if codec.name == "int8" else np.abs(states)
    tiny = 2.0**-24 if codec.name == "float16" else 1e-37
    assert (np.abs(found - states) <= BOUND[codec.name] * size + tiny).all()


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@given(states=STATES)
def test_what_was_rounded_once_stays(codec: Codec, states: np.ndarray) -> None:
    once = codec.decode(codec.encode(torch.from_numpy(states)))
    twice = codec.decode(codec.encode(torch.from_numpy(once.astype(np.float32))))
    np.testing.assert_allclose(twice, once, rtol=1e-6 if codec.name == "int8" else 0)


def test_bfloat16_is_the_upper_half_of_a_float32() -> None:
    states = torch.tensor([[[1.0, -2.0, 3.140625]]])
    assert CODECS["bfloat16"].encode(states).values.tolist() == [[[0x3F80, 0xC000, 0x4049]]]


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_numbers_are_seen(codec: Codec, bad: float) -> None:
    states = torch.zeros(2, 2, 3)
    assert codec.is_finite(codec.encode(states))
    states[1, 0, 2] = bad
    assert not codec.is_finite(codec.encode(states))


def test_a_number_beyond_float16_is_seen() -> None:
    assert not CODECS["float16"].is_finite(CODECS["float16"].encode(torch.full((1, 1, 1), 1e6)))
    assert CODECS["bfloat16"].is_finite(CODECS["bfloat16"].encode(torch.full((1, 1, 1), 1e6)))


def test_bytes_of_a_piece_are_what_is_stored() -> None:
    states = torch.randn(5, 3, 16)
    for codec in CODECS.values():
        found = codec.encode(states)
        stored = found.values.nbytes + (found.scale.nbytes if found.scale is not None else 0)
        assert stored == 5 * codec.bytes_per_piece(3, 16)


def test_float16_is_read_without_a_copy() -> None:
    values = np.zeros((2, 2, 2), np.float16)
    assert CODECS["float16"].decode(Coded(values)) is values


def test_the_names_in_params_are_those_of_the_table() -> None:
    for name in CODECS:
        assert EncoderSpec(dtype=name).codec is CODECS[name]
    with pytest.raises(ValueError, match="Input should be 'float16', 'bfloat16', 'float32' or 'int8'"):
        EncoderSpec(dtype="float8")


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_empty_memory_has_the_type_and_shape_of_encoded_states(codec: Codec) -> None:
    states = torch.randn(5, 3, 16)
    found, expected = codec.empty((5, 3, 16)), codec.encode(states)
    found[slice(None)] = expected
    assert (found.values.dtype, found.values.shape) == (expected.values.dtype, expected.values.shape)
    np.testing.assert_array_equal(codec.decode(found), codec.decode(expected))
    assert codec.encode(states.to(getattr(torch, codec.working))).values.tobytes() == expected.values.tobytes()
