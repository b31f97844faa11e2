"""One step of a linear chain, for numba kernels: each function is defined with numpy, and compiles to vectors.

numba unrolls a loop over 14 tags before LLVM looks for vectors, and leaves scalar code, four times slower. A compiled
kernel that calls a function of this module therefore gets its namesake in `crf_instructions`. Called from plain
Python, the function runs as written: that is its definition, and what the tests compare the machine code with.

Arrays are flat and C-contiguous. T tags take V lanes, V a multiple of 8; lanes behind T hold the neutral element.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from ner_head.head.crf import instructions as crf_instructions

Reals = NDArray[Any]
# numba's cache watches a kernel's own file only; kernels close over this, so that an edit here recompiles them
REVISION = zlib.crc32(b"".join(Path(str(path)).read_bytes() for path in (__file__, crf_instructions.__file__)))


def multiply(
    x: Reals, at: int, matrix: Reals, weight: Reals, to: int, scale: float, before: Reals, after: Reals, T: int, V: int
) -> float:
    """Write before[to:] = (x[at:] @ matrix) * scale; after[to:] = before * weight[to:]; returns the sum of after."""
    before[to : to + V] = (x[at : at + T] @ matrix.reshape(T, V)) * scale
    after[to : to + V] = before[to : to + V] * weight[to : to + V]
    return float(after[to : to + V].sum())


def below(
    x: Reals, weight: Reals, at: int, size: float, rows: Reals, row: int, columns: Reals, column: int, V: int
) -> int:
    """Whether a lane of weight[at:] other than 0 that both bounds admit (1, else 0) has not x[at:] >= size.

    NaN counts as below.
    """
    floor = size * rows[row : row + V] * columns[column : column + V]
    return int(not ((x[at : at + V] >= floor) | (weight[at : at + V] == 0)).all())


def shift(x: Reals, at: int, out: Reals, to: int, T: int, V: int) -> float:
    """Write out[to:] = x[at:] less its maximum, which is returned."""
    top = x[at : at + T].max()
    out[to : to + T] = x[at : at + T] - top
    out[to + T : to + V] = 0
    return float(top)


def posterior(a: Reals, b: Reals, at: int, out: Reals, to: int, sign: float, T: int, V: int) -> float:
    """Write out[to:] = sign * a * b / sum(a * b), T lanes; returns the sum."""
    product = a[at : at + V] * b[at : at + V]
    total = product.sum()
    out[to : to + T] = product[:T] * (sign / total)
    return float(total)


def add_outer(out: Reals, a: Reals, at: int, scale: float, b: Reals, bt: int, T: int, V: int) -> None:
    """Add to out: scale * outer(a[at:], b[bt:]), (T, V)."""
    out.reshape(T, V)[:] += np.outer(a[at : at + T], scale * b[bt : bt + V])


def best_sum(x: Reals, at: int, matrix: Reals, plus: Reals, out: Reals, to: int, T: int, V: int) -> None:
    """Write out[to:] = (max over i of x[at + i] + matrix[i]) + plus[to:], rounded twice and in this order."""
    out[to : to + V] = (x[at : at + T, None] + matrix.reshape(T, V)).max(axis=0) + plus[to : to + V]


def first_best(x: Reals, at: int, y: Reals, yt: int, V: int) -> int:
    """The first lane at which x[at:] + y[yt:] is greatest."""
    return int(np.argmax(x[at : at + V] + y[yt : yt + V]))


def best_other(x: Reals, at: int, y: Reals, yt: int, lane: int, V: int) -> tuple[int, float]:
    """The first lane but `lane` at which x[at:] + y[yt:] is greatest, and the sum there."""
    sums = x[at : at + V] + y[yt : yt + V]
    sums[lane] = -np.inf
    best = int(np.argmax(sums))
    return best, float(sums[best])


def sum_best(x: Reals, at: int, y: Reals, yt: int, plus: float, out: Reals, to: int, V: int) -> int:
    """Write out[to:] = (x[at:] + y[yt:]) + plus; returns its first greatest lane."""
    out[to : to + V] = (x[at : at + V] + y[yt : yt + V]) + plus
    return int(np.argmax(out[to : to + V]))


def swap_best(x: Reals, at: int, lane: int, value: float, V: int) -> tuple[int, float]:
    """Write x[at + lane] = value; returns the first greatest lane of x[at:], and what is in it."""
    x[at + lane] = value
    best = int(np.argmax(x[at : at + V]))
    return best, float(x[at + best])


vector: Any = crf_instructions
overload(multiply, prefer_literal=True)(
    lambda x, at, matrix, weight, to, scale, before, after, T, V: (
        lambda x, at, matrix, weight, to, scale, before, after, T, V: vector.multiply(
            x, at, matrix, weight, to, scale, before, after, T, V
        )
    )
)
overload(below, prefer_literal=True)(
    lambda x, weight, at, size, rows, row, columns, column, V: (
        lambda x, weight, at, size, rows, row, columns, column, V: vector.below(
            x, weight, at, size, rows, row, columns, column, V
        )
    )
)
overload(shift, prefer_literal=True)(
    lambda x, at, out, to, T, V: lambda x, at, out, to, T, V: vector.shift(x, at, out, to, T, V)
)
overload(posterior, prefer_literal=True)(
    lambda a, b, at, out, to, sign, T, V: (
        lambda a, b, at, out, to, sign, T, V: vector.posterior(a, b, at, out, to, sign, T, V)
    )
)
overload(add_outer, prefer_literal=True)(
    lambda out, a, at, scale, b, bt, T, V: (
        lambda out, a, at, scale, b, bt, T, V: vector.add_outer(out, a, at, scale, b, bt, T, V)
    )
)
overload(best_sum, prefer_literal=True)(
    lambda x, at, matrix, plus, out, to, T, V: (
        lambda x, at, matrix, plus, out, to, T, V: vector.best_sum(x, at, matrix, plus, out, to, T, V)
    )
)
overload(first_best, prefer_literal=True)(
    lambda x, at, y, yt, V: lambda x, at, y, yt, V: vector.first_best(x, at, y, yt, V)
)
overload(best_other, prefer_literal=True)(
    lambda x, at, y, yt, lane, V: lambda x, at, y, yt, lane, V: vector.best_other(x, at, y, yt, lane, V)
)
overload(sum_best, prefer_literal=True)(
    lambda x, at, y, yt, plus, out, to, V: (
        lambda x, at, y, yt, plus, out, to, V: vector.sum_best(x, at, y, yt, plus, out, to, V)
    )
)
overload(swap_best, prefer_literal=True)(
    lambda x, at, lane, value, V: lambda x, at, lane, value, V: vector.swap_best(x, at, lane, value, V)
)
