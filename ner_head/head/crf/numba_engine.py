"""The CRF on a CPU: numba kernels behind torch tensors. Importing this module takes numba; `crf` does it when needed.

Kernels run without Python's lock, on threads of this module's own pool: as many as torch's setting allows and the
work is worth. Nothing of numba's threading layers is used, so calls from several threads, or after a fork, are safe.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from ner_head.head.crf import gold as crf_gold
from ner_head.head.crf import torch_engine as crf_batched
from ner_head.head.crf.kernels import compiled, expectations, tabulate
from ner_head.head.crf.posterior import Expectations, Scores
from ner_head.head.crf.rules import Rules, lanes

Floats = NDArray[Any]
Lengths = NDArray[np.int64]
PIECES_PER_THREAD = 4096  # a quarter of a millisecond: handing work to a thread costs a fifth of that

measure, check, add_gold, weigh = (
    compiled(kernel) for kernel in (crf_gold.measure, crf_gold.check, crf_gold.add_gold, crf_gold.weigh)
)
_tabulate = compiled(tabulate)


class Arrays(NamedTuple):
    """`Expectations` in numpy; arrays that were not asked for are empty."""

    log_z: NDArray[np.float64]  # (B,)
    unary: Floats  # (B, P, T): sign * marginals
    pair_counts: Floats  # (B, T, T): sign * expected number of each transition
    later: Floats  # (B, P, T): logs of the backward messages, up to a constant a piece


class Inputs(NamedTuple):
    """One batch: emissions (B, P, T), lengths (B,), and a CRF's scores, -inf where forbidden, with its rules."""

    emissions: Floats
    lengths: Lengths
    scores: tuple[Floats, Floats, Floats]  # pairs (T, T), start (T,), end (T,)
    rules: Rules
    tables: tuple[Floats, ...] | None = None  # `probability_tables` of the scores, where they are at hand


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked child gets its own."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="crf")


def spread(work: Callable[[int, int], Any], lengths: Lengths) -> None:
    """Run work(low, high) over the rows of a batch, in shares of about equal pieces."""
    n_threads = max(1, min(torch.get_num_threads(), int(lengths.sum()) // PIECES_PER_THREAD, len(lengths)))
    if n_threads == 1:
        work(0, len(lengths))
        return
    ends = np.cumsum(lengths)
    shares = np.searchsorted(ends, ends[-1] * np.arange(1, n_threads) / n_threads) + 1
    bounds = [0, *np.minimum(shares, len(lengths)).tolist(), len(lengths)]
    pairs = [(low, high) for low, high in pairwise(bounds) if low < high]
    waiting = [_pool(os.getpid()).submit(work, low, high) for low, high in pairs[1:]]
    work(*pairs[0])
    for future in waiting:
        future.result()


def probability_tables(scores: tuple[Floats, Floats, Floats], rules: Rules, real: Any) -> tuple[Floats, ...]:
    """The tables of `tabulate` for scores that are -inf where forbidden, and the rules as bounds for the kernel."""
    n_tags = len(scores[1])
    width = lanes(n_tags)
    pairs, back = np.empty(n_tags * width, real), np.empty(n_tags * width, real)
    first, last, tops = np.empty(width, real), np.empty(width, real), np.empty(2)
    _tabulate(scores, pairs, back, first, last, tops)
    return pairs, back, first, last, tops, *rules.bounds(width, real)


def _run(inputs: Inputs, sign: int, later: bool) -> tuple[Arrays, NDArray[np.bool_]]:
    """One pass of the kernel in the emissions' own precision: its results, and which rows they are good for."""
    emissions, lengths = inputs.emissions, inputs.lengths
    (n_sentences, _, n_tags), real = emissions.shape, emissions.dtype
    tables, nothing = inputs.tables or probability_tables(inputs.scores, inputs.rules, real), (0, 0, 0)
    found = Arrays(
        np.empty(n_sentences),
        np.zeros(emissions.shape if sign else nothing, real),
        np.empty((n_sentences, n_tags, n_tags) if sign else nothing, real),
        np.zeros(emissions.shape if later else nothing, real),
    )
    good = np.empty(n_sentences, np.bool_)
    kernel = expectations(n_tags, lanes(n_tags), real == np.float64)
    spread(lambda low, high: kernel(emissions, lengths, tables, low, high, sign, *found, good), lengths)
    return found, good


def expect(inputs: Inputs, *, sign: int = 0, later: bool = False) -> Arrays:
    """Compute log Z and, for sign 1 or -1, expectations times the sign; with `later`, backward messages too.

    A sentence whose messages leave float32's range is done again in float64's, and if that is too narrow in logs.
    """
    found, good = _run(inputs, sign, later)
    if not good.all():
        rows = np.flatnonzero(~good)
        wide = Inputs(inputs.emissions[rows].astype(np.float64), inputs.lengths[rows], inputs.scores, inputs.rules)
        narrow = inputs.emissions.dtype != np.float64
        again = expect(wide, sign=sign, later=later) if narrow else _in_logs(wide, sign)
        for part, repaired in zip(found, again, strict=True):
            if part.size:
                part[rows] = repaired
    return found


def _in_logs(inputs: Inputs, sign: int) -> Arrays:
    """The same from `crf_batched`, for scores of any size."""
    emissions = torch.from_numpy(inputs.emissions)
    scores = Scores(*(torch.from_numpy(score).double() for score in inputs.scores))
    mask = torch.arange(emissions.shape[1]) < torch.from_numpy(inputs.lengths)[:, None]
    found = crf_batched.expect(emissions, mask, scores)
    counts = crf_batched.pair_counts(emissions, mask, scores, found)
    return Arrays(found.log_partition.numpy(), sign * found.unary.numpy(), sign * counts.numpy(), found.later.numpy())


class LogSum(torch.autograd.Function):
    """Gold score - log Z, (B,); without gold paths log Z. The gradient is computed with it: memory O(B P T)."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, pairs: Tensor, start: Tensor, end: Tensor,
        lengths: Lengths, rules: Rules, gold: Lengths | None, differentiable: bool,
    ) -> Tensor:  # fmt: skip
        """Emissions (B, P, T), and scores in the same precision."""
        inputs = _inputs(emissions, lengths, Scores(pairs, start, end), rules)
        sign = 1 if gold is None else -1
        found = expect(inputs, sign=sign if differentiable else 0)
        total = found.log_z
        if gold is not None:
            np.negative(total, out=total)
            add_gold(inputs.emissions, gold, lengths, inputs.scores, found.unary, found.pair_counts, total)
        ctx.found, ctx.lengths = found, lengths
        return torch.from_numpy(total.astype(inputs.emissions.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Weigh each sentence's gradient by that of its sum, (B,)."""
        unary, pair_counts = ctx.found.unary, ctx.found.pair_counts
        n_tags, real = unary.shape[2], unary.dtype
        results = np.empty_like(unary), np.empty((n_tags, n_tags), real), np.empty(n_tags, real), np.empty(n_tags, real)
        weigh(grad.contiguous().numpy(), ctx.lengths, unary, pair_counts, *results)
        return *(torch.from_numpy(result) for result in results), None, None, None, None


def _inputs(emissions: Tensor, lengths: Lengths, scores: Scores, rules: Rules) -> Inputs:
    values = emissions.detach().contiguous().numpy()
    return Inputs(values, lengths, rules.legal_scores(*(score.detach().numpy() for score in scores)), rules)


def log_sum(emissions: Tensor, lengths: Lengths, scores: Scores, rules: Rules, gold: Lengths | None) -> Tensor:
    """The log of p(gold), or log Z without gold paths, (B,); differentiable."""
    wanted = torch.is_grad_enabled() and any(part.requires_grad for part in (emissions, *scores))
    result: Tensor = LogSum.apply(emissions, *scores, lengths, rules, gold, wanted)  # type: ignore[no-untyped-call]
    return result


def log_partition(
    emissions: Tensor,
    lengths: Lengths,
    legal: tuple[Floats, Floats, Floats],
    rules: Rules,
    tables: tuple[Floats, ...] | None,
) -> NDArray[np.float64]:
    """Log Z in float64, (B,), from scores that are -inf where forbidden, and their `probability_tables`."""
    return expect(Inputs(emissions.contiguous().numpy(), lengths, legal, rules, tables)).log_z


def expectations_of(emissions: Tensor, lengths: Lengths, scores: Scores, rules: Rules) -> Expectations:
    """All of `Expectations`."""
    found = expect(_inputs(emissions, lengths, scores, rules), sign=1, later=True)
    return Expectations(torch.from_numpy(found.log_z), torch.from_numpy(found.unary), torch.from_numpy(found.later))
