"""The forward-backward algorithm as numba kernels, in scaled probabilities (Rabiner, 1989, section V A).

Messages are probabilities up to a factor. The factor is divided out at every step, and its log is summed in float64.
If the message of a tag that can be on a path falls below 1e-30 of the others (1e-250 in float64), digits are lost: the
sentence is reported as not `good`, and the caller repeats it in a wider form. A tag whose emission is -inf is on no
path and is not tested. Each sentence is computed by the same operations in the same order, in any batch and with any
number of threads.

Arrays: `emissions` (B, P, T), `lengths` (B,), and the tables that `tabulate` writes. T and V (see `vector`) are
constants of a kernel.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from ner_head.head.crf import vector
from ner_head.head.crf.kernel_cache import KernelCache
from ner_head.head.crf.vector import REVISION, below, posterior, shift

LOG2_E = np.float32(1.4426950408889634)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
EXP_TERMS = tuple(
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
FAST = {"contract", "nsz", "reassoc"}  # sums in any order; NaN and infinity are kept


def compiled(function: Any, *, fast: bool = True) -> Any:
    """Compile a function without the GIL, with a cache on disk.

    Raises:
        RuntimeError: no folder for the cache can be written.
    """
    dispatcher: Any = njit(nogil=True, error_model="numpy", fastmath=FAST if fast else False)(function)
    dispatcher._cache = KernelCache(function)  # `cache=True` with another class of cache
    return dispatcher


@register_jitable
def exp32(x: Any) -> Any:
    """The exponential of x <= 0 in float32, within 1.2e-7; 1e-38 below -87. Loops over it vectorise.

    After expf of the Cephes library (Moshier, 1984-2000): x = n ln 2 + r, and a polynomial in r.
    """
    x = max(x, np.float32(-87.0))
    power = np.float32(np.rint(x * LOG2_E))
    r = x - power * LN2_HIGH - power * LN2_LOW
    y = EXP_TERMS[0]
    for term in EXP_TERMS[1:]:
        y = y * r + term
    y = y * r * r + r + np.float32(1.0)
    return y * np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)


@register_jitable
def exp64(x: Any) -> Any:
    """The exponential of x <= 0 in float64; 1e-304 below -700, as 0 means that there is no path."""
    return math.exp(max(x, -700.0))


def tabulate(scores: Any, pairs: Any, back: Any, first: Any, last: Any, tops: Any) -> None:
    """Write the scores of a CRF as probabilities up to a factor: exp(score - greatest score).

    Args:
        scores: `LegalScores`.
        pairs: written, (T, V) flat, transitions [from, to].
        back: written, (T, V) flat, transitions [to, from].
        first: written, (V,), start.
        last: written, (V,), end.
        tops: written, (2,), the logs of the factors: of start and end together, and of a transition.
    """
    transitions, start, end = scores
    T, V = start.size, first.size
    top, top_first, top_last = transitions.max(), start.max(), end.max()
    if top == -np.inf:
        top = transitions.dtype.type(0)
    for i in range(T * V):
        pairs[i], back[i] = 0, 0
    for i in range(V):
        first[i], last[i] = 0, 0
    for i in range(T):
        first[i], last[i] = math.exp(start[i] - top_first), math.exp(end[i] - top_last)
        for j in range(T):
            pairs[i * V + j] = back[j * V + i] = math.exp(transitions[i, j] - top)
    tops[0], tops[1] = np.float64(top_first) + np.float64(top_last), top


def _weigh(T: int, V: int, real: Any, exp: Any) -> Any:
    @vector.specialised(T, V, real)
    def weigh(emissions: Any, b: int, length: int, out: Any) -> float:
        """Write out = exp(emissions - their maximum at the piece), (length, V); returns the sum of the maxima."""
        flat, row = emissions.reshape(-1), b * emissions.shape[1]
        total = 0.0
        for t in range(length):
            total += shift(flat, (row + t) * T, out, t * V, T, V)
        for i in range(length * V):
            out[i] = real(0) if out[i] == -np.inf else exp(out[i])
        return total

    return weigh


def _begin(V: int, real: Any) -> Any:
    @vector.specialised(V, real)
    def begin(prior: Any, weight: Any, at: int, before: Any, after: Any) -> Any:
        """Write the first message of a direction, after = prior * weight; returns its sum."""
        total = real(0)
        for j in range(V):
            before[at + j] = prior[j]
            value = prior[j] * weight[at + j]
            after[at + j] = value
            total += value
        return total

    return begin


def _recur(T: int, V: int, real: Any, tiny: Any, begin: Any) -> Any:
    multiply = vector.multiply(T, V)

    @vector.specialised(T, V, real)
    def recur(length: int, tables: Any, weight: Any, both: bool, ahead: Any, behind: Any, after: Any, sums: Any) -> Any:
        """Compute the forward messages, and the backward messages if `both`.

        The two directions are independent, so that the processor computes them at the same time.

        Args:
            length: number of pieces, P.
            tables: the tables of `tabulate` and `Rules.bounds`.
            weight: (P, V) flat, exp of the emissions.
            both: whether to compute the backward messages.
            ahead: written, (P, V) flat, forward messages.
            behind: written, (P, V) flat, backward messages.
            after: written, (P, V) flat, backward messages times the weight.
            sums: written, (P,), the sum of each row of `after`.
        Returns:
            the log of Z up to the factors of the tables, and whether a message fell too low.
        """
        pairs, back, first, last, _, reach, coreach = tables
        unused = np.empty(length * V, real)
        rows, columns, end = reach.size // V - 1, coreach.size // V - 1, (length - 1) * V
        total = begin(first, weight, 0, unused, ahead)
        low = below(ahead, weight, 0, tiny, reach, 0, coreach, min(length - 1, columns) * V, V)
        total_back = begin(last, weight, end, behind, after)
        if both:
            low |= below(after, weight, end, tiny, reach, min(length - 1, rows) * V, coreach, 0, V)
        sums[length - 1] = total_back
        log_scale, scale = 0.0, 1.0
        for k in range(1, length):
            scale *= total
            if not 1e-200 < scale < 1e200:
                log_scale, scale = log_scale + np.log(scale), 1.0
            inverse, t = real(1) / total, length - 1 - k
            total = multiply(ahead, (k - 1) * V, pairs, weight, k * V, inverse, unused, ahead, V)
            low |= below(ahead, weight, k * V, tiny * inverse, reach, min(k, rows) * V, coreach, min(t, columns) * V, V)
            if both:
                inverse = real(1) / total_back
                total_back = multiply(after, (t + 1) * V, back, weight, t * V, inverse, behind, after, V)
                sums[t] = total_back
                low |= below(
                    after, weight, t * V, tiny * inverse, reach, min(t, rows) * V, coreach, min(k, columns) * V, V
                )
        final = real(0)
        for j in range(V):
            final += ahead[end + j] * last[j]
        return log_scale + np.log(scale * final), low

    return recur


def _expect(T: int, V: int, tiny: Any) -> Any:
    add_outer = vector.add_outer(T, V)

    @vector.specialised(T, V, type(tiny))
    def expect(
        length: int, sign: Any, ahead: Any, behind: Any, after: Any, sums: Any, flat: Any, row: int, counts: Any
    ) -> int:
        """Write marginals times the sign, and add expected transitions without their factor to `counts`.

        Returns:
            whether the total of a piece is too low.
        """
        low = 0
        for t in range(length):
            total = posterior(ahead, behind, t * V, flat, (row + t) * T, sign, T, V)
            low |= int(not total >= tiny)
            if t + 1 < length:
                add_outer(counts, ahead, t * V, sign / (total * sums[t + 1]), after, (t + 1) * V, V)
        return low

    return expect


@cache
def expectations(T: int, V: int, double: bool) -> Any:
    """The kernel for T tags in V lanes. It is compiled at the first call, or read from the cache of numba."""
    real: Any = np.float64 if double else np.float32
    tiny = real(1e-250 if double else 1e-30)
    weigh, recur = _weigh(T, V, real, exp64 if double else exp32), _recur(T, V, real, tiny, _begin(V, real))
    expect, revision = _expect(T, V, tiny), REVISION

    def kernel(
        emissions: Any, lengths: Any, tables: Any, low: int, high: int, sign: int,
        log_z: Any, unary: Any, pair_counts: Any, later: Any, good: Any,
    ) -> int:  # fmt: skip
        """Compute sentences low to high - 1 of a batch.

        Sign 0 computes log Z alone, 1 or -1 also expectations times the sign. Written are log_z (B,), unary (B, P, T),
        pair_counts (B, T, T), later (B, P, T) if it is not empty, and good (B,), but no padding: see `PathCounts`.
        """
        pairs, n_pieces, longest = tables[0], emissions.shape[1], 0
        for b in range(low, high):
            longest = max(longest, lengths[b])
        size = longest * V
        weight, ahead, behind, after = (
            np.empty(size, real),
            np.empty(size, real),
            np.empty(size, real),
            np.empty(size, real),
        )
        sums, counts = np.empty(longest, real), np.empty(T * V, real)
        for b in range(low, high):
            length = lengths[b]
            tops = weigh(emissions, b, length, weight) + tables[4][0] + tables[4][1] * (length - 1)
            log_scale, bad = recur(length, tables, weight, sign != 0, ahead, behind, after, sums)
            log_z[b] = tops + log_scale
            if sign != 0:
                for i in range(T * V):
                    counts[i] = 0
                bad |= expect(length, real(sign), ahead, behind, after, sums, unary.reshape(-1), b * n_pieces, counts)
                for i in range(T):
                    for j in range(T):
                        pair_counts[b, i, j] = counts[i * V + j] * pairs[i * V + j]
            if later.size:
                for t in range(length):
                    for j in range(T):
                        later[b, t, j] = np.log(behind[t * V + j])
            good[b] = bad == 0
        return revision

    return compiled(vector.named(kernel, T, V, real))
