"""The steps of the recursions, as numba loops over tags that LLVM compiles to vector instructions.

A row of T numbers, one per tag, takes V lanes: T rounded up to whole vectors (`rules.lanes`). Lanes after T hold
numbers that change no result. Arrays are flat and C-contiguous; `x[at:]` below means the V lanes that start at `at`.

Four rules make LLVM vectorise these loops. Without one of them a matrix product takes 3 to 13 times as long.

- Indices are unsigned. numba adds the length of an array to a negative index, and that test prevents vectors.
- The number of lanes is an argument. LLVM unrolls a short loop of constant length before it looks for vectors, and
  does not find them in the unrolled code.
- T is a constant (see the factories, which take T and V), and the loop over T is inside the loop over lanes. It is
  unrolled, so that sums stay in registers.
- A maximum is taken in four interleaved parts, because each comparison waits for the one before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numba.extending import register_jitable

# The cache of numba watches the file of a kernel only. Kernels refer to this number: an edit here recompiles them.
REVISION = zlib.crc32(Path(__file__).read_bytes())
U = np.uint64
F = TypeVar("F", bound=Callable[..., Any])


def specialised(*constants: Any) -> Callable[[F], F]:
    """Decorator of a function with constants: puts them into its name, and registers it for use in kernels.

    Kernels that are read from the cache on disk are linked by the names of their functions. Without this, the second
    kernel of a process could get the functions of the first one, for another number of tags.
    """

    def register(function: F) -> F:
        jitable: F = register_jitable(named(function, *constants))
        return jitable

    return register


def named(function: F, *constants: Any) -> F:
    """The function, with constants in its name."""
    suffix = "_".join(getattr(constant, "__name__", str(constant)) for constant in constants)
    function.__name__ = f"{function.__name__}_{suffix}"
    function.__qualname__ = f"{function.__qualname__}_{suffix}"
    return function


@register_jitable
def greater(a: Any, b: Any) -> Any:
    """The greater of two numbers; `b` if one of them is NaN."""
    return a if a > b else b


@cache
def multiply(T: int, V: int) -> Any:
    """Factory of a step that multiplies a row by a matrix, (T, V) flat."""

    @specialised(T, V)
    def multiply(
        x: Any, at: Any, matrix: Any, weight: Any, to: Any, scale: Any, before: Any, after: Any, lanes: int
    ) -> Any:
        """Write before[to:] = (x[at:] @ matrix) * scale, after[to:] = before[to:] * weight[to:].

        Returns:
            the sum of after[to:].
        """
        at, to = U(at), U(to)
        total = x.dtype.type(0)
        for j in range(U(lanes)):
            value = x.dtype.type(0)
            for i in range(U(T)):
                value += x[at + i] * matrix[i * U(V) + j]
            value *= scale
            before[to + j] = value
            value *= weight[to + j]
            after[to + j] = value
            total += value
        return total

    return multiply


@cache
def add_outer(T: int, V: int) -> Any:
    """Factory of a step that adds an outer product to a matrix, (T, V) flat."""

    @specialised(T, V)
    def add_outer(out: Any, a: Any, at: Any, scale: Any, b: Any, bt: Any, lanes: int) -> None:
        """Add scale * outer(a[at:], b[bt:]) to out."""
        at, bt = U(at), U(bt)
        for j in range(U(lanes)):
            right = scale * b[bt + j]
            for i in range(U(T)):
                out[i * U(V) + j] += a[at + i] * right

    return add_outer


@cache
def best_sum(T: int, V: int) -> Any:
    """Factory of a step of the Viterbi recursion with a matrix, (T, V) flat."""

    @specialised(T, V)
    def best_sum(x: Any, at: Any, matrix: Any, plus: Any, out: Any, to: Any, lanes: int) -> None:
        """Write out[to:] = (max over i of x[at + i] + matrix[i]) + plus[to:], rounded twice and in this order."""
        at, to = U(at), U(to)
        for j in range(U(lanes)):
            value = x[at] + matrix[j]
            for i in range(U(1), U(T)):
                value = greater(x[at + i] + matrix[i * U(V) + j], value)
            out[to + j] = value + plus[to + j]

    return best_sum


@register_jitable
def below(x: Any, weight: Any, at: Any, size: Any, rows: Any, row: Any, columns: Any, column: Any, lanes: int) -> int:
    """1 if x[at:] is below `size` in a lane that both bounds admit and whose weight is not 0; else 0.

    NaN counts as below. `rows[row:]` and `columns[column:]` are 1 for lanes that they admit, else 0.
    """
    at, row, column = U(at), U(row), U(column)
    count = 0
    for j in range(U(lanes)):
        floor = rows[row + j] * columns[column + j] * size
        count += (not x[at + j] >= floor) & (weight[at + j] != 0)
    return int(count > 0)


@register_jitable
def shift(x: Any, at: Any, out: Any, to: Any, n_tags: int, lanes: int) -> Any:
    """Write out[to:] = x[at:] - max(x[at:]), 0 in the lanes after T; returns the maximum."""
    at, to, whole = U(at), U(to), U(n_tags // 4 * 4)
    a = b = c = d = x[at]
    for j in range(U(0), whole, U(4)):
        a, b = greater(x[at + j], a), greater(x[at + j + U(1)], b)
        c, d = greater(x[at + j + U(2)], c), greater(x[at + j + U(3)], d)
    for j in range(whole, U(n_tags)):
        a = greater(x[at + j], a)
    top = greater(greater(a, b), greater(c, d))
    for j in range(U(n_tags)):
        out[to + j] = x[at + j] - top
    for j in range(U(n_tags), U(lanes)):
        out[to + j] = 0
    return top


@register_jitable
def posterior(a: Any, b: Any, at: Any, out: Any, to: Any, sign: Any, n_tags: int, lanes: int) -> Any:
    """Write out[to:] = sign * p / sum(p) for p = a[at:] * b[at:], T numbers; returns sum(p)."""
    at, to = U(at), U(to)
    total = a.dtype.type(0)
    for j in range(U(lanes)):
        total += a[at + j] * b[at + j]
    factor = sign / total
    for j in range(U(n_tags)):
        out[to + j] = a[at + j] * b[at + j] * factor
    return total


@register_jitable
def first_best(x: Any, at: Any, y: Any, yt: Any, lanes: int) -> int:
    """The first lane in which x[at:] + y[yt:] is greatest."""
    at, yt = U(at), U(yt)
    a, b = x[at] + y[yt], x[at + U(1)] + y[yt + U(1)]
    c, d = x[at + U(2)] + y[yt + U(2)], x[at + U(3)] + y[yt + U(3)]
    for j in range(U(4), U(lanes), U(4)):
        a = greater(x[at + j] + y[yt + j], a)
        b = greater(x[at + j + U(1)] + y[yt + j + U(1)], b)
        c = greater(x[at + j + U(2)] + y[yt + j + U(2)], c)
        d = greater(x[at + j + U(3)] + y[yt + j + U(3)], d)
    top = greater(greater(a, b), greater(c, d))
    best = U(lanes)
    for j in range(U(lanes)):
        best = min(best, U(j) if x[at + j] + y[yt + j] == top else U(lanes))
    return int(min(best, U(lanes - 1)))  # NaN equals nothing


@register_jitable
def best_other(x: Any, at: Any, y: Any, yt: Any, lane: Any, lanes: int) -> Any:
    """The first lane other than `lane` in which x[at:] + y[yt:] is greatest, and that sum."""
    at, yt = U(at), U(yt)
    best, top = U(0), -np.inf
    for j in range(U(lanes)):
        value = -np.inf if j == U(lane) else x[at + j] + y[yt + j]
        best = U(j) if value > top else best
        top = greater(value, top)
    return int(best), top


@register_jitable
def add_rows(x: Any, at: Any, y: Any, yt: Any, out: Any, lanes: int) -> None:
    """Write out = x[at:] + y[yt:]."""
    at, yt = U(at), U(yt)
    for j in range(U(lanes)):
        out[U(j)] = x[at + j] + y[yt + j]


@register_jitable
def greatest(x: Any, lanes: int) -> Any:
    """The first lane in which x is greatest, and its number there."""
    best, top = U(0), -np.inf
    for j in range(U(lanes)):
        best = U(j) if x[U(j)] > top else best
        top = greater(x[U(j)], top)
    return int(best), top
