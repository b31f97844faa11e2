"""The compiled steps of the recursions against numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit

from ner_head.head.crf import vector
from ner_head.head.crf.kernels import exp32

T, V = 6, 8
multiply, add_outer, best_sum = vector.multiply(T, V), vector.add_outer(T, V), vector.best_sum(T, V)


def reference_multiply(x, m, w, out, more, k):
    out[2 : 2 + V] = (x[k : k + T] @ m.reshape(T, V)) * x[0]
    more[2 : 2 + V] = out[2 : 2 + V] * w[2 : 2 + V]
    return more[2 : 2 + V].sum()


def reference_below(x, m, w, out, more, k):
    floor = x[0] * m[8 : 8 + V] * w[2 : 2 + V]
    return int(not ((x[k : k + V] >= floor) | (out[k : k + V] == 0)).all())


def reference_shift(x, m, w, out, more, k):
    top = x[k : k + T].max()
    out[2 : 2 + V] = 0
    out[2 : 2 + T] = x[k : k + T] - top
    return top


def reference_posterior(x, m, w, out, more, k):
    product = x[k : k + V] * w[k : k + V]
    out[2 : 2 + T] = x[0] * product[:T] / product.sum()
    return product.sum()


def reference_add_outer(x, m, w, out, more, k):
    m.reshape(T, V)[:] += x[0] * np.outer(x[k : k + T], w[2 : 2 + V])


def reference_best_sum(x, m, w, out, more, k):
    out[k : k + V] = (x[k : k + T, None] + m.reshape(T, V)).max(axis=0) + w[k : k + V]


def reference_best_other(x, m, w, out, more, k):
    sums = x[k : k + V] + w[2 : 2 + V]
    sums[3] = -np.inf
    return int(np.argmax(sums)), sums.max()


def reference_add_rows(x, m, w, out, more, k):
    out[:V] = x[k : k + V] + w[2 : 2 + V]


STEPS: dict[str, tuple[Callable, Callable]] = {
    "multiply": (lambda x, m, w, out, more, k: multiply(x, k, m, w, 2, x[0], out, more, V), reference_multiply),
    "below": (lambda x, m, w, out, more, k: vector.below(x, out, k, x[0], m, 8, w, 2, V), reference_below),
    "shift": (lambda x, m, w, out, more, k: vector.shift(x, k, out, 2, T, V), reference_shift),
    "posterior": (lambda x, m, w, out, more, k: vector.posterior(x, w, k, out, 2, x[0], T, V), reference_posterior),
    "add_outer": (lambda x, m, w, out, more, k: add_outer(m, x, k, x[0], w, 2, V), reference_add_outer),
    "best_sum": (lambda x, m, w, out, more, k: best_sum(x, k, m, w, out, k, V), reference_best_sum),
    "first_best": (
        lambda x, m, w, out, more, k: vector.first_best(x, k, w, 2, V),
        lambda x, m, w, out, more, k: int(np.argmax(x[k : k + V] + w[2 : 2 + V])),
    ),
    "best_other": (lambda x, m, w, out, more, k: vector.best_other(x, k, w, 2, 3, V), reference_best_other),
    "add_rows": (lambda x, m, w, out, more, k: vector.add_rows(x, k, w, 2, out, V), reference_add_rows),
    "greatest": (
        lambda x, m, w, out, more, k: vector.greatest(x, V),
        lambda x, m, w, out, more, k: (int(np.argmax(x[:V])), x[:V].max()),
    ),
}


def arrays(real: type, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    x, matrix, weight, out, more = (generator.normal(size=size).astype(real) for size in (24, T * V, 24, 24, 24))
    return [x, matrix, weight, out, more]


SUMS = ("multiply", "below", "shift", "posterior", "add_outer")  # in float32 too; scores of paths are float64 alone


@pytest.mark.parametrize(
    ("name", "real"), [*((name, np.float64) for name in STEPS), *((name, np.float32) for name in SUMS)]
)
def test_compiled_steps_compute_what_numpy_does(name: str, real: type) -> None:
    step, reference = STEPS[name]
    compiled = njit(step)
    for seed in range(5):
        ours, wanted = arrays(real, seed), arrays(real, seed)
        if name == "below":  # all lanes pass, one fails, one is NaN, one fails but weighs nothing, one's weight is NaN
            for data in (ours, wanted):
                data[0][:], data[1][:], data[2][:], data[3][:] = 1, 1, 1, 1
                data[0][5 + seed] = {1: 0.5, 2: np.nan, 3: 0.5, 4: 0.5}.get(seed, 1)
                data[3][5 + seed] = {3: 0.0, 4: np.nan}.get(seed, 1)
        found, expected = compiled(*ours, 4), reference(*wanted, 4)
        assert name != "below" or expected == [0, 1, 1, 0, 1][seed]
        tolerance = 1e-5 if real is np.float32 else 1e-13
        assert expected is None or found == pytest.approx(expected, rel=tolerance, abs=tolerance)
        for one, other in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("value", [0.0, -np.inf])
def test_the_first_of_equal_lanes_is_best(value: float) -> None:
    x = np.full(8, value)
    assert njit(lambda x: vector.first_best(x, 0, x, 0, V))(x) == 0
    assert njit(lambda x: vector.greatest(x, V))(x) == (0, value)
    x[[3, 5]] = 1.0
    assert njit(lambda x: vector.first_best(x, 0, x, 0, V))(x) == 3
    assert njit(lambda x: vector.best_other(x, 0, x, 0, 3, V))(x) == (5, 2.0)


def test_the_short_exponential_is_good_to_float32() -> None:
    x = np.linspace(-86, 0, 5001).astype(np.float32)
    found = np.array([exp32(value) for value in x])
    assert np.abs(found / np.exp(x.astype(np.float64)) - 1).max() < 2e-7
    assert exp32(np.float32(-np.inf)) < 1e-37
