"""What forward-backward says of whole paths: their entropy, and the probability of a span.

Both use that a CRF's path is a Markov chain: p(next tag | this tag) follows from the backward messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 1 << 20  # numbers in one block of (B, K, T, T): time is spent in torch, memory stays bounded


class Scores(NamedTuple):
    """A CRF's own scores."""

    pairs: Tensor  # (T, T) [from, to]
    start: Tensor  # (T,)
    end: Tensor  # (T,)


class Expectations(NamedTuple):
    """What forward-backward found; `unary` and `later` are empty where only log Z was asked for."""

    log_partition: Tensor  # (B,) float64
    unary: Tensor  # (B, P, T): marginals, 0 behind the end
    later: Tensor  # (B, P, T): logs of the backward messages, up to a constant a piece


class SpanPattern(NamedTuple):
    """A span as tags: where it starts, which tags each of its pieces may have, which tag behind would extend it.

    It covers positions [start, start + S) of a sentence. A path has the span if its tag at start + s is one that
    `allowed[s]` admits for every s, and its tag at start + S, if the sentence goes on, is not in `extends`. Over
    words, `allowed` is B-x, then I-x, and `extends` I-x; over pieces, X stands between them. Where a span can be
    tagged in ways that are no such product of sets, add up the probabilities of patterns that exclude each other.
    """

    sentence: int  # row of the batch
    start: int
    allowed: Tensor  # (S, T) bool
    extends: Tensor  # (T,) bool


def transition_logs(emissions: Tensor, pairs: Tensor, later: Tensor) -> Tensor:
    """The log of p(tag | tag before), -inf if none: emissions and backward messages, (..., T) -> (..., T, T)."""
    shifted = emissions - emissions.amax(dim=-1, keepdim=True)  # exact, and small numbers round less
    ahead = pairs + (shifted + later).unsqueeze(-2)
    total = torch.logsumexp(ahead, dim=-1, keepdim=True)
    return ahead - torch.where(torch.isinf(total), 0.0, total)


def transition_blocks(
    emissions: Tensor, mask: Tensor, pairs: Tensor, found: Expectations
) -> Iterator[tuple[Tensor, Tensor]]:
    """For pieces 1.. in blocks of K: `transition_logs`, (B, K, T, T), and p(tag before), (B, K, T), 0 for pads."""
    n_sentences, n_pieces, n_tags = emissions.shape
    emissions = torch.where(mask.unsqueeze(2), emissions, 0.0)
    step = max(1, BLOCK // max(1, n_sentences * n_tags * n_tags))
    for low in range(1, n_pieces, step):
        block, before = slice(low, low + step), slice(low - 1, min(low + step, n_pieces) - 1)
        weight = torch.where(mask[:, block, None], found.unary[:, before], 0.0)
        yield transition_logs(emissions[:, block], pairs, found.later[:, block]), weight


def path_entropy(emissions: Tensor, mask: Tensor, pairs: Tensor, found: Expectations) -> Tensor:
    """H(first tag) + the mean of H(next tag | this tag) over paths, (B,): no difference of large numbers."""
    result: Tensor = torch.special.entr(found.unary[:, 0]).sum(dim=1)
    for logs, before in transition_blocks(emissions, mask, pairs, found):
        chances = torch.exp(logs)
        each = -(chances * torch.where(chances > 0, logs, 0.0)).sum(dim=3)
        result = result + (before * each).sum(dim=(1, 2))
    return result


def pattern_probability(
    emissions: Tensor, mask: Tensor, pairs: Tensor, found: Expectations, spans: Sequence[SpanPattern]
) -> Tensor:
    """p(span) for each pattern, (N,): a chain from its first tag's marginal through its transition probabilities.

    Raises:
        ValueError: a pattern that is not inside its sentence, or has another number of tags.
    """
    if not spans:
        return emissions.new_zeros(0)
    n_tags, device = len(pairs), emissions.device
    longest = max(len(span.allowed) for span in spans) + 1
    # behind its end a pattern allows everything, and what is behind a sentence's end does not matter
    allowed = torch.ones(len(spans), longest, n_tags, dtype=torch.bool)
    lengths = mask.sum(dim=1).tolist()
    for i, (sentence, start, tags, extends) in enumerate(spans):
        if tags.shape[1:] != (n_tags,) or extends.shape != (n_tags,):
            raise ValueError(f"span {i} must have (S, {n_tags}) allowed and ({n_tags},) extending tags")
        stop = start + len(tags)
        if not 0 <= sentence < len(lengths) or not 0 <= start < stop <= lengths[sentence]:
            raise ValueError(f"span {i} at [{start}, {stop}) of sentence {sentence} is empty or outside of the batch")
        allowed[i, : len(tags)] = tags
        allowed[i, len(tags)] = ~extends if stop < lengths[sentence] else True
    rows = torch.tensor([span.sentence for span in spans], device=device)
    starts = torch.tensor([span.start for span in spans], device=device)
    ends = torch.tensor([lengths[span.sentence] for span in spans], device=device)
    allowed = allowed.to(device)
    weight = torch.where(allowed[:, 0], found.unary[rows, starts], 0.0)
    for step in range(1, longest):
        at = torch.minimum(starts + step, ends - 1)
        chances = torch.exp(transition_logs(emissions[rows, at], pairs, found.later[rows, at]))
        moved = torch.where(allowed[:, step], (weight.unsqueeze(1) @ chances).squeeze(1), 0.0)
        weight = torch.where((starts + step < ends).unsqueeze(1), moved, weight)
    return weight.sum(dim=1)
