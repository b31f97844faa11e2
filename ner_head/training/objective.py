"""The loss that training minimises."""

from __future__ import annotations

import torch
from torch import Tensor

from ner_head.head.crf import LinearChainCRF
from ner_head.head.model import Head, HeadOutput, Steps

NO_LANGUAGE = -100  # the index that `cross_entropy` ignores


def joint_loss(
    head: Head, output: HeadOutput, steps: Steps, tags: Tensor, languages: Tensor, allowed: Tensor | None = None
) -> Tensor:
    """L = L_SL + L_clf (Emelyanov & Artemova, 2019, eq. 3).

    Args:
        head: the head that computed the output; its CRF is used.
        output: emissions and language logits of B sentences.
        steps: the pieces that the tags belong to.
        tags: gold tags, (B, S) int64.
        languages: gold languages, (B,) int64; `NO_LANGUAGE` where unknown.
        allowed: the tags that each step may have, (B, S, T) bool, instead of the gold tags; None for these.
    Returns:
        the mean over sentences of the CRF's negative log-likelihood, plus the mean cross-entropy of the languages.
    """
    loss = -log_likelihood(head.crf, output.emissions, tags if allowed is None else allowed, steps.mask).mean()
    if output.language_logits is None:
        return loss
    errors = torch.nn.functional.cross_entropy(
        output.language_logits.float(), languages, ignore_index=NO_LANGUAGE, reduction="sum"
    )
    # clamp, and no `if`: a condition on a tensor would wait for the GPU
    return loss + errors / (languages != NO_LANGUAGE).sum().clamp(min=1)


def log_likelihood(crf: LinearChainCRF, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
    """The CRF's log-likelihood, (B,): checked on a CPU, without a host synchronisation on other devices.

    Args:
        crf: the CRF.
        emissions: (B, S, T).
        tags: gold tags, (B, S) int64, or the tags that each step may have, (B, S, T) bool. They come from `TagSet`,
            and leave a legal path.
        mask: (B, S) bool.
    """
    if emissions.device.type == "cpu" and tags.dtype == torch.bool:
        return crf.log_likelihood_of_sets(emissions, tags, mask)
    if emissions.device.type == "cpu":
        return crf.log_likelihood(emissions, tags, mask)
    return crf.log_likelihood_on_device(emissions, tags, mask)
