"""The forward-backward algorithm over a padded batch in log space, without a host synchronisation between pieces.

Emissions are shifted by their maximum at each piece, and messages at each step. The shifts are summed in float64 (in
float32 on a device without float64), so that a path of 4096 pieces with scores of 1e4 keeps its digits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ner_head.head.crf.markov import transition_blocks
from ner_head.head.crf.types import CrfScores, Expectations


def _wide(device: torch.device) -> torch.dtype:
    """The widest float of a device: Apple's MPS has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def _finite(top: Tensor) -> Tensor:
    """The least finite number in place of -inf."""
    return top.clamp(min=torch.finfo(top.dtype).min)


def _forward(emissions: Tensor, mask: Tensor, scores: CrfScores) -> tuple[Tensor, Tensor]:
    """The logs of the forward messages, (B, P, T), and the sum of their shifts, (B,)."""
    message = scores.start + emissions[:, 0]
    kept: list[Tensor] = []
    tops: list[Tensor] = []
    for position in range(emissions.shape[1]):
        if position:
            message = torch.logsumexp(message.unsqueeze(2) + scores.transitions, dim=1) + emissions[:, position]
        tops.append(_finite(message.amax(dim=1, keepdim=True)))
        message = message - tops[-1]
        if position:
            message = torch.where(mask[:, position, None], message, kept[-1])
        kept.append(message)
    total = torch.where(mask, torch.cat(tops, dim=1), 0.0).to(_wide(emissions.device)).sum(dim=1)
    return torch.stack(kept, dim=1), total


def _backward(emissions: Tensor, mask: Tensor, scores: CrfScores) -> Tensor:
    """The logs of the backward messages, (B, P, T), each piece up to a constant."""
    message = scores.end.expand(len(emissions), -1)
    kept = [message]
    for position in range(emissions.shape[1] - 1, 0, -1):
        step = torch.logsumexp(scores.transitions + (emissions[:, position] + message).unsqueeze(1), dim=2)
        step = step - _finite(step.amax(dim=1, keepdim=True))
        message = torch.where(mask[:, position, None], step, message)
        kept.append(message)
    return torch.stack(kept[::-1], dim=1)


def _shifted(emissions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Emissions minus their maximum at each piece, 0 for padding, and the sum of the maxima, (B,)."""
    top = _finite(emissions.amax(dim=2))
    inside = torch.where(mask.unsqueeze(2), emissions - top.unsqueeze(2), 0.0)
    return inside, torch.where(mask, top, 0.0).to(_wide(emissions.device)).sum(dim=1)


def expect(emissions: Tensor, mask: Tensor, scores: CrfScores) -> Expectations:
    """The forward-backward algorithm (Rabiner, 1989, section III A): emissions (B, P, T), mask (B, P)."""
    shifted, tops = _shifted(emissions, mask)
    ahead, total = _forward(shifted, mask, scores)
    later = _backward(shifted, mask, scores)
    log_partition = tops + total + torch.logsumexp(ahead[:, -1] + scores.end, dim=1)
    unary = torch.where(mask.unsqueeze(2), torch.softmax(ahead + later, dim=2), 0.0)
    return Expectations(log_partition, unary, later)


def pair_counts(emissions: Tensor, mask: Tensor, scores: CrfScores, found: Expectations) -> Tensor:
    """The expected number of each transition, (B, T, T): the sum of p(from) p(to | from) over pieces."""
    counts = torch.zeros_like(scores.transitions).repeat(len(emissions), 1, 1)
    for logs, before in transition_blocks(emissions, mask, scores.transitions, found):
        counts = counts + (before.unsqueeze(3) * torch.exp(logs)).sum(dim=1)
    return counts


class LogPartition(torch.autograd.Function):
    """log Z, (B,) float64. The forward pass also computes its gradient, the marginals: memory O(B P T)."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, mask: Tensor, pairs: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Emissions (B, P, T), mask (B, P), and the parts of `CrfScores`."""
        scores = CrfScores(pairs, start, end)
        found = expect(emissions, mask, scores)
        if any(ctx.needs_input_grad):
            last = found.unary[torch.arange(len(mask), device=mask.device), mask.sum(dim=1) - 1]
            counts = pair_counts(emissions, mask, scores, found)
            ctx.save_for_backward(found.unary, counts, found.unary[:, 0], last)
        return found.log_partition

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Multiply the expectations of each sentence by its gradient, (B,)."""
        unary, counts, first, last = ctx.saved_tensors
        weight = grad.to(unary.dtype)
        pairs = (weight[:, None, None] * counts).sum(dim=0)
        return weight[:, None, None] * unary, None, pairs, weight @ first, weight @ last


def log_partition(emissions: Tensor, mask: Tensor, scores: CrfScores) -> Tensor:
    """Log Z, the log of the sum over all legal paths, (B,), in the widest float."""
    result: Tensor = LogPartition.apply(emissions, mask, *scores)  # type: ignore[no-untyped-call]
    return result


def log_likelihood_of_sets(emissions: Tensor, mask: Tensor, scores: CrfScores, allowed: Tensor) -> Tensor:
    """The log of the probability that each piece has one of its allowed tags, (B,), as `log_likelihood`.

    It is the difference between two sums over paths: of those with allowed tags only, and of all (Täckström et al.,
    2013, eq. 4).

    Args:
        emissions: (B, P, T).
        mask: (B, P).
        scores: with -inf where the rules forbid.
        allowed: (B, P, T) bool; any values for padding.
    """
    inside = torch.where(allowed | ~mask.unsqueeze(2), emissions, -torch.inf)
    found = log_partition(inside, mask, scores) - log_partition(emissions, mask, scores)
    return found.to(emissions.dtype)


def log_likelihood(emissions: Tensor, mask: Tensor, scores: CrfScores, tags: Tensor) -> Tensor:
    """The log-likelihood of tags, (B,): a difference in the widest float, rounded to the precision of the emissions."""
    wide = _wide(emissions.device)
    tags = torch.where(mask, tags, 0)
    rows = torch.arange(len(tags), device=tags.device)
    unary = torch.where(mask, emissions.gather(2, tags.unsqueeze(2)).squeeze(2), 0.0).to(wide).sum(dim=1)
    steps = torch.where(mask[:, 1:], scores.transitions[tags[:, :-1], tags[:, 1:]], 0.0).to(wide).sum(dim=1)
    ends = scores.start[tags[:, 0]].to(wide) + scores.end[tags[rows, mask.sum(dim=1) - 1]].to(wide)
    return (unary + steps + ends - log_partition(emissions, mask, scores)).to(emissions.dtype)
