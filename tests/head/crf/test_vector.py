"""The vector code of a step does what its definition in numpy says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit

from ner_head.head.crf import vector
from ner_head.head.crf.kernels import exp32

T, V = 6, 8  # constants of the compiled callers below

CALLERS: dict[str, Callable] = {
    "multiply": lambda x, m, w, out, more, k: vector.multiply(x, k, m, w, 2, x[0], out, more, T, V),
    "below": lambda x, m, w, out, more, k: vector.below(x, out, k, x[0], m, 8, w, 2, V),
    "shift": lambda x, m, w, out, more, k: vector.shift(x, k, out, 2, T, V),
    "posterior": lambda x, m, w, out, more, k: vector.posterior(x, w, k, out, 2, x[0], T, V),
    "add_outer": lambda x, m, w, out, more, k: vector.add_outer(m, x, k, x[0], w, 2, T, V),
    "best_sum": lambda x, m, w, out, more, k: vector.best_sum(x, k, m, w, out, k, T, V),
    "first_best": lambda x, m, w, out, more, k: vector.first_best(x, k, w, 2, V),
    "best_other": lambda x, m, w, out, more, k: vector.best_other(x, k, w, 2, 3, V)[0],
    "best_other, value": lambda x, m, w, out, more, k: vector.best_other(x, k, w, 2, 3, V)[1],
    "sum_best": lambda x, m, w, out, more, k: vector.sum_best(x, k, w, 2, x[0], out, 2, V),
    "swap_best": lambda x, m, w, out, more, k: vector.swap_best(x, k, 3, x[0], V)[0],
    "swap_best, value": lambda x, m, w, out, more, k: vector.swap_best(x, k, 3, x[0], V)[1],
}


def arrays(real: type, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    x, matrix, weight, out, more = (generator.normal(size=size).astype(real) for size in (24, T * V, 24, 24, 24))
    return [x, matrix, weight, out, more]


SUMS = ("multiply", "below", "shift", "posterior", "add_outer")  # in float32 too; scores of paths are float64 alone


@pytest.mark.parametrize(
    ("name", "real"), [*((name, np.float64) for name in CALLERS), *((name, np.float32) for name in SUMS)]
)
def test_compiled_steps_are_as_defined(name: str, real: type) -> None:
    compiled = njit(CALLERS[name])
    for seed in range(5):
        ours, wanted = arrays(real, seed), arrays(real, seed)
        if name == "below":  # all lanes pass, one fails, one is NaN, one fails but weighs nothing, one's weight is NaN
            for data in (ours, wanted):
                data[0][:], data[1][:], data[2][:], data[3][:] = 1, 1, 1, 1
                data[0][5 + seed] = {1: 0.5, 2: np.nan, 3: 0.5, 4: 0.5}.get(seed, 1)
                data[3][5 + seed] = {3: 0.0, 4: np.nan}.get(seed, 1)
        results = compiled(*ours, 4), CALLERS[name](*wanted, 4)
        assert name != "below" or results[1] == [0, 1, 1, 0, 1][seed]
        tolerance = 1e-5 if real is np.float32 else 1e-13
        assert results[1] is None or results[0] == pytest.approx(results[1], rel=tolerance, abs=tolerance)
        for one, other in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def test_the_first_of_equal_lanes_is_best() -> None:
    x = np.zeros(8)
    assert njit(lambda x: vector.first_best(x, 0, x, 0, V))(x) == vector.first_best(x, 0, x, 0, V) == 0


def test_the_short_exponential_is_good_to_float32() -> None:
    x = np.linspace(-86, 0, 5001).astype(np.float32)
    found = np.array([exp32(value) for value in x])
    assert np.abs(found / np.exp(x.astype(np.float64)) - 1).max() < 2e-7
    assert exp32(np.float32(-np.inf)) < 1e-37
