"""Several heads of one shape that decide together, from the mean of their scores."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ner_head.head.crf import Forbidden, LinearChainCRF
from ner_head.head.model import Head, HeadOutput, Steps
from ner_head.head.words import WordFeatures


class Committee(nn.Module):
    """K trained heads of different seeds, used as one head (Lakshminarayanan et al., 2017).

    A path's score is a sum of emissions, transitions, a start and an end score. The mean of the heads' scores of a
    path is therefore its score under the mean emissions and the mean transitions, starts and ends: one CRF decodes
    the committee and gives its probabilities. They are the normalised geometric mean of the heads' probabilities of
    the path, a logarithmic opinion pool (Heskes, 1998).

    A committee is not trained. Its CRF is computed once, from the heads as they are given. If the heads tune layers of
    the encoder, each has its own.

    Args:
        heads: K heads with the same shape, tags and languages.
    Raises:
        ValueError: there is no head.

    Attributes:
        mixed: numbers of the encoder's layers that are mixed.
        layers: numbers of the encoder's layers that `forward` reads.
        pieces: those of a word that it wants.
        crf: with the mean of the heads' transitions, starts and ends.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        super().__init__()
        if not heads:
            raise ValueError("a committee needs at least 1 head, got 0")
        self.heads = nn.ModuleList(heads)
        self.mixed, self.layers, self.pieces = heads[0].mixed, heads[0].layers, heads[0].pieces
        self.crf = mean_crf([head.crf for head in heads])

    @property
    def members(self) -> list[Head]:
        """The K heads."""
        return [head for head in self.heads if isinstance(head, Head)]

    @property
    def reads_words(self) -> bool:
        """Whether `forward` needs the features of words."""
        return any(head.reads_words for head in self.members)

    @property
    def predicts_languages(self) -> bool:
        """Whether its output has language logits."""
        return any(head.predicts_languages for head in self.members)

    @property
    def reads_separator(self) -> bool:
        """Whether `forward` needs the states of [SEP]."""
        return any(head.reads_separator for head in self.members)

    def layer_weights(self) -> Tensor:
        """The mean of the heads' weights of `layers`, (K,) or (K, D)."""
        return torch.stack([head.layer_weights() for head in self.members]).mean(0)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor,
        steps: Steps,
        words: WordFeatures | None = None,
        separator: Tensor | None = None,
    ) -> HeadOutput:
        """The mean of the heads' emissions and of their language logits; the arguments are those of `Head`."""
        outputs: list[HeadOutput] = [head(hidden, mask, steps, words, separator) for head in self.members]
        logits = [output.language_logits for output in outputs if output.language_logits is not None]
        emissions = torch.stack([output.emissions for output in outputs]).mean(0)
        return HeadOutput(emissions, torch.stack(logits).mean(0) if logits else None)


@torch.no_grad()
def mean_crf(crfs: Sequence[LinearChainCRF]) -> LinearChainCRF:
    """A CRF with the first one's rules and the mean of all transitions, starts and ends."""
    first = crfs[0]
    mean = (
        LinearChainCRF(first.n_tags, Forbidden(first.forbidden_pairs, first.forbidden_first, first.forbidden_last))
        .to(first.transitions.device)
        .requires_grad_(False)
    )  # not trained
    for name, score in mean.named_parameters():
        score.copy_(torch.stack([crf.get_parameter(name) for crf in crfs]).mean(0))
    return mean


AnyHead = Head | Committee


def together(heads: Sequence[Head]) -> AnyHead:
    """A single head as it is, several as a committee."""
    return heads[0] if len(heads) == 1 else Committee(heads)
