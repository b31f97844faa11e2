"""Quantities of whole paths from the forward-backward algorithm: entropy and the probability of a span.

Given the emissions, the tags of a CRF form a Markov chain. Its transition probabilities, p(next tag | tag), follow
from the backward messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ner_head.head.crf.types import Expectations, SpanPattern

BLOCK = 1 << 20  # numbers in a block of (B, K, T, T): large enough for torch to be fast, and bounds the memory


def transition_logs(emissions: Tensor, transitions: Tensor, later: Tensor) -> Tensor:
    """The logs of p(tag | previous tag), -inf where there is no path: (..., T) -> (..., T, T) [from, to]."""
    shifted = emissions - emissions.amax(dim=-1, keepdim=True)  # exact, and small numbers lose fewer digits
    ahead = transitions + (shifted + later).unsqueeze(-2)
    total = torch.logsumexp(ahead, dim=-1, keepdim=True)
    return ahead - torch.where(torch.isinf(total), 0.0, total)


def transition_blocks(
    emissions: Tensor, mask: Tensor, transitions: Tensor, found: Expectations
) -> Iterator[tuple[Tensor, Tensor]]:
    """Transition probabilities of pieces 1 to P - 1, K pieces at a time.

    Yields:
        `transition_logs`, (B, K, T, T), and the marginals of the previous tag, (B, K, T), 0 for padding.
    """
    n_sentences, n_pieces, n_tags = emissions.shape
    emissions = torch.where(mask.unsqueeze(2), emissions, 0.0)
    step = max(1, BLOCK // max(1, n_sentences * n_tags * n_tags))
    for low in range(1, n_pieces, step):
        block, before = slice(low, low + step), slice(low - 1, min(low + step, n_pieces) - 1)
        weight = torch.where(mask[:, block, None], found.unary[:, before], 0.0)
        yield transition_logs(emissions[:, block], transitions, found.later[:, block]), weight


def path_entropy(emissions: Tensor, mask: Tensor, transitions: Tensor, found: Expectations) -> Tensor:
    """The entropy of the distribution over paths in nats, (B,).

    It is the entropy of the first tag plus the expected entropy of each further tag given the one before. This form
    has no difference of large numbers.
    """
    result: Tensor = torch.special.entr(found.unary[:, 0]).sum(dim=1)
    for logs, before in transition_blocks(emissions, mask, transitions, found):
        chances = torch.exp(logs)
        each = -(chances * torch.where(chances > 0, logs, 0.0)).sum(dim=3)
        result = result + (before * each).sum(dim=(1, 2))
    return result


def pattern_probability(
    emissions: Tensor, mask: Tensor, transitions: Tensor, found: Expectations, spans: Sequence[SpanPattern]
) -> Tensor:
    """The probability of each pattern, (N,): the marginal of its first tag times its transition probabilities.

    Raises:
        ValueError: a pattern is not inside its sentence, or has another number of tags.
    """
    if not spans:
        return emissions.new_zeros(0)
    n_tags, device = len(transitions), emissions.device
    longest = max(len(span.allowed) for span in spans) + 1
    # all tags are allowed after the end of a pattern; pieces after the end of a sentence are not read
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
        chances = torch.exp(transition_logs(emissions[rows, at], transitions, found.later[rows, at]))
        moved = torch.where(allowed[:, step], (weight.unsqueeze(1) @ chances).squeeze(1), 0.0)
        weight = torch.where((starts + step < ends).unsqueeze(1), moved, weight)
    return weight.sum(dim=1)
