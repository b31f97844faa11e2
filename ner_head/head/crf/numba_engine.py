"""The CRF on a CPU, as numba kernels that read and write torch tensors.

Importing this module imports numba; `LinearChainCRF` does so at the first call. Kernels release the GIL and run on a
thread pool of this module: at most as many threads as torch is set to, and fewer for small batches. The threading
layers of numba are not used, so that calls from several threads, or after a fork, are safe.
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

from ner_head.head.crf import checks, gold, log_space
from ner_head.head.crf.kernels import compiled, expectations, tabulate
from ner_head.head.crf.nbest import best_paths, search_tables
from ner_head.head.crf.rules import Rules, lanes
from ner_head.head.crf.types import (
    BatchProblem,
    CrfScores,
    DecodingTables,
    EmissionBatch,
    Expectations,
    Floats,
    Gold,
    Hypothesis,
    LegalScores,
    Lengths,
)

PIECES_PER_THREAD = 4096  # about 0.25 ms of work: handing it to another thread takes about 0.05 ms

check_mask, check_gold = compiled(checks.check_mask), compiled(checks.check_gold)
add_gold, sum_gradients = compiled(gold.add_gold), compiled(gold.sum_gradients)
_tabulate = compiled(tabulate)


class NumbaEngine:
    """The `CrfEngine` of CPUs.

    Args:
        rules: of the CRF.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def check_mask(self, mask: NDArray[np.bool_], lengths: Lengths) -> BatchProblem:
        """See `CrfEngine`."""
        return BatchProblem(*check_mask(mask, self.rules.legal, lengths))

    def check_gold(self, gold: Lengths, lengths: Lengths) -> BatchProblem:
        """See `CrfEngine`."""
        return BatchProblem(*check_gold(gold, lengths, self.rules.arrays))

    def log_sum(self, batch: EmissionBatch, scores: CrfScores, gold: Gold | None) -> Tensor:
        """See `CrfEngine`."""
        differentiable = torch.is_grad_enabled() and any(part.requires_grad for part in (batch.emissions, *scores))
        result: Tensor = LogSum.apply(  # type: ignore[no-untyped-call]
            batch.emissions, *scores, batch.lengths, self.rules, gold, differentiable
        )
        return result

    def expectations(self, batch: EmissionBatch, scores: CrfScores) -> Expectations:
        """See `CrfEngine`."""
        found = forward_backward(_inputs(batch.emissions, batch.lengths, scores, self.rules), sign=1, later=True)
        return Expectations(*(torch.from_numpy(part) for part in (found.log_z, found.unary, found.later)))

    def tables(self, legal: LegalScores) -> DecodingTables:
        """See `CrfEngine`."""
        return DecodingTables(legal, probability_tables(legal, self.rules, legal.start.dtype), search_tables(legal))

    def log_partition(self, batch: EmissionBatch, tables: DecodingTables) -> NDArray[np.float64]:
        """See `CrfEngine`."""
        emissions = batch.emissions.contiguous().numpy()
        return forward_backward(
            Inputs(emissions, batch.lengths, tables.legal, self.rules, tables.forward_backward)
        ).log_z

    def best_paths(
        self, batch: EmissionBatch, tables: DecodingTables, log_z: Floats, *, n: int
    ) -> list[list[Hypothesis]]:
        """See `CrfEngine`."""
        return best_paths(batch, tables.search, log_z, n=n, spread=spread)


class Inputs(NamedTuple):
    """A batch and the scores of a CRF as arrays."""

    emissions: Floats  # (B, P, T), contiguous
    lengths: Lengths  # (B,)
    scores: LegalScores
    rules: Rules
    tables: tuple[Floats, ...] = ()  # the `probability_tables` of the scores, if they are known


class PathCounts(NamedTuple):
    """The results of the kernel; arrays that were not asked for are empty."""

    log_z: NDArray[np.float64]  # (B,)
    unary: Floats  # (B, P, T): sign * marginals
    pair_counts: Floats  # (B, T, T): sign * expected number of each transition
    later: Floats  # (B, P, T): logs of the backward messages, each piece up to a constant


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of a process. A forked child has another id and gets its own."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="crf")


def spread(work: Callable[[int, int], Any], lengths: Lengths) -> None:
    """Call work(low, high) over the rows of a batch, on threads that get about the same number of pieces."""
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


def probability_tables(scores: LegalScores, rules: Rules, real: Any) -> tuple[Floats, ...]:
    """The tables of the kernel: those of `tabulate`, and `Rules.bounds`."""
    n_tags = len(scores.start)
    width = lanes(n_tags)
    pairs, back = np.empty(n_tags * width, real), np.empty(n_tags * width, real)
    first, last, tops = np.empty(width, real), np.empty(width, real), np.empty(2)
    _tabulate(scores, pairs, back, first, last, tops)
    return pairs, back, first, last, tops, *rules.bounds(width, real)


def _run(inputs: Inputs, sign: int, later: bool) -> tuple[PathCounts, NDArray[np.bool_]]:
    """Run the kernel in the precision of the emissions. Returns also whether each row kept its digits, (B,)."""
    emissions, lengths = inputs.emissions, inputs.lengths
    (n_sentences, _, n_tags), real = emissions.shape, emissions.dtype
    tables, nothing = inputs.tables or probability_tables(inputs.scores, inputs.rules, real), (0, 0, 0)
    found = PathCounts(
        np.empty(n_sentences),
        np.zeros(emissions.shape if sign else nothing, real),
        np.empty((n_sentences, n_tags, n_tags) if sign else nothing, real),
        np.zeros(emissions.shape if later else nothing, real),
    )
    good = np.empty(n_sentences, np.bool_)
    kernel = expectations(n_tags, lanes(n_tags), real == np.float64)
    spread(lambda low, high: kernel(emissions, lengths, tables, low, high, sign, *found, good), lengths)
    return found, good


def forward_backward(inputs: Inputs, *, sign: int = 0, later: bool = False) -> PathCounts:
    """Compute log Z.

    A sentence whose messages leave the range of float32 is repeated in float64, then in log space.

    Args:
        inputs: a batch and scores.
        sign: 1 or -1 to compute expectations times the sign too; 0 for log Z alone.
        later: whether to return the backward messages.
    """
    found, good = _run(inputs, sign, later)
    if not good.all():
        rows = np.flatnonzero(~good)
        wide = Inputs(inputs.emissions[rows].astype(np.float64), inputs.lengths[rows], inputs.scores, inputs.rules)
        narrow = inputs.emissions.dtype != np.float64
        again = forward_backward(wide, sign=sign, later=later) if narrow else _in_log_space(wide, sign)
        for part, repaired in zip(found, again, strict=True):
            if part.size:
                part[rows] = repaired
    return found


def _in_log_space(inputs: Inputs, sign: int) -> PathCounts:
    """The same in plain torch, for scores of any size."""
    emissions = torch.from_numpy(inputs.emissions).double()
    scores = CrfScores(*(torch.from_numpy(score).double() for score in inputs.scores))
    mask = torch.arange(emissions.shape[1]) < torch.from_numpy(inputs.lengths)[:, None]
    found = log_space.expect(emissions, mask, scores)
    counts = log_space.pair_counts(emissions, mask, scores, found)
    return PathCounts(
        found.log_partition.numpy(), sign * found.unary.numpy(), sign * counts.numpy(), found.later.numpy()
    )


class LogSum(torch.autograd.Function):
    """The log-likelihood of gold paths or of sets of tags, or log Z without them: (B,).

    The forward pass also computes the gradient: memory O(B P T).
    """

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor,
        lengths: Lengths, rules: Rules, gold: Gold | None, differentiable: bool,
    ) -> Tensor:  # fmt: skip
        """Emissions (B, P, T), and scores in the same precision."""
        inputs = _inputs(emissions, lengths, CrfScores(transitions, start, end), rules)
        sign = 1 if gold is None else -1
        found = forward_backward(inputs, sign=sign if differentiable else 0)
        total = found.log_z
        if gold is not None:
            np.negative(total, out=total)
        if gold is not None and gold.ndim == 3:
            add_sets(inputs, gold, found, total)
        elif gold is not None:
            add_gold(inputs.emissions, gold, lengths, inputs.scores, found.unary, found.pair_counts, total)
        ctx.found, ctx.lengths = found, lengths
        return torch.from_numpy(total.astype(inputs.emissions.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Multiply the counts of each sentence by its gradient, (B,)."""
        unary, pair_counts = ctx.found.unary, ctx.found.pair_counts
        n_tags, real = unary.shape[2], unary.dtype
        results = np.empty_like(unary), np.empty((n_tags, n_tags), real), np.empty(n_tags, real), np.empty(n_tags, real)
        sum_gradients(grad.contiguous().numpy(), ctx.lengths, unary, pair_counts, *results)
        return *(torch.from_numpy(result) for result in results), None, None, None, None


def add_sets(inputs: Inputs, allowed: Gold, found: PathCounts, total: NDArray[np.float64]) -> None:
    """Add to `total`, (B,), the log of the sum over paths with allowed tags only, and its expectations to `found`.

    The kernels would take the absent tags for messages that left the range of a float, so this part runs in log space,
    for the sentences that leave a choice, in float64.

    Args:
        inputs: a batch and scores.
        allowed: tags that each piece may have, (B, P, T) bool.
        found: minus the expectations over all paths; empty arrays are left alone.
        total: minus log Z.
    """
    emissions = np.where(allowed, inputs.emissions, -np.inf)
    inside = _in_log_space(Inputs(emissions, inputs.lengths, inputs.scores, inputs.rules), sign=1)
    total += inside.log_z
    if found.unary.size:
        np.add(found.unary, inside.unary, out=found.unary, casting="same_kind")
        np.add(found.pair_counts, inside.pair_counts, out=found.pair_counts, casting="same_kind")


def _inputs(emissions: Tensor, lengths: Lengths, scores: CrfScores, rules: Rules) -> Inputs:
    values = emissions.detach().contiguous().numpy()
    return Inputs(values, lengths, rules.legal_scores(*(score.detach().numpy() for score in scores)), rules)
