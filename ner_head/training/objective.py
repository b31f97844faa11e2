"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor

from ner_head.head.crf import torch_engine as crf_batched
from ner_head.head.crf.layer import LinearChainCRF
from ner_head.head.model import Head, HeadOutput, Steps

NO_LANGUAGE = -100  # cross_entropy leaves such sentences out


def joint_loss(head: Head, output: HeadOutput, steps: Steps, tags: Tensor, languages: Tensor) -> Tensor:
    """L = L_SL + L_clf (Emelyanov & Artemova, 2019, eq. 3).

    Args:
        head: for its CRF.
        output: what the head said, B sentences.
        steps: where the tags stand.
        tags: (B, S) int64, gold.
        languages: (B,) int64, gold; `NO_LANGUAGE` where unknown.
    Returns:
        the mean over sentences of the CRF's negative log-likelihood, plus the languages' mean cross-entropy.
    """
    loss = -likelihood(head.crf, output.emissions, tags, steps.mask).mean()
    if output.language_logits is None:
        return loss
    errors = torch.nn.functional.cross_entropy(
        output.language_logits.float(), languages, ignore_index=NO_LANGUAGE, reduction="sum"
    )
    return loss + errors / (languages != NO_LANGUAGE).sum().clamp(min=1)  # no question to a GPU whether there are any


def likelihood(crf: LinearChainCRF, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
    """`crf.log_likelihood`, (B,), without its questions to a GPU.

    It checks gold tags and lengths on the host, and a GPU that is asked has to finish all its work first. What is
    learnt from comes from `TagSet`, whose tags are legal.
    """
    if emissions.device.type == "cpu":
        return crf.log_likelihood(emissions, tags, mask)
    emissions, scores = crf._scores(emissions)
    with torch.autocast(emissions.device.type, enabled=False):
        return crf_batched.log_likelihood(emissions, mask, crf._legal(scores), tags)
