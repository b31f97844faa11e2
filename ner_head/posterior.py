"""How sure a head is: the probability of a span, and temperatures that make probabilities mean what they say."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import CLS, PAD, TagSet, X
from ner_head.features.batches import pad_rows
from ner_head.head.crf import LinearChainCRF, SpanPattern
from ner_head.head.crf_rules import Rules
from ner_head.params import Params

NO_WORD = -1  # [CLS], and pads


class Temperatures(Params):
    """What makes probabilities mean what they say; no decision changes.

    Scores are divided by a temperature before they become probabilities (Guo et al., 2017): above 1 = less sure.
    """

    spans: float = Field(default=1.0, gt=0)
    """Of the CRF: emissions, transitions, starts and ends."""
    labels: dict[str, Annotated[float, Field(ge=-20, le=20)]] = Field(default_factory=dict)
    """By label, what is added to the log-odds of a span's probability after the temperature; 0 for labels not named."""
    languages: float = Field(default=1.0, gt=0)
    """Of the language classifier's logits."""

    def shifted(self, probability: float, label: str) -> float:
        """The probability of a span with a label, from what the CRF gives at the temperature."""
        shift = self.labels.get(label, 0.0)
        return probability if not shift else float(shift_log_odds(np.array(probability), shift))


def shift_log_odds(probabilities: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Probabilities p whose log-odds, log(p / (1 - p)), have grown by `shift`; 0 and 1 stay."""
    odds = math.exp(shift) * probabilities
    return odds / (1 - probabilities + odds)


@torch.no_grad()
def tempered(crf: LinearChainCRF, temperature: float, *, into: LinearChainCRF | None = None) -> LinearChainCRF:
    """The CRF whose own scores are divided by a temperature; itself at 1. Emissions are the caller's to divide.

    Args:
        crf: is left as it is.
        temperature: above 0.
        into: an earlier result for `crf`, to bring up to date: it keeps its decoding tables while the scores stay.
    """
    if temperature == 1:
        return crf
    cooled = into or copy.deepcopy(crf)
    for mine, theirs in zip(cooled.parameters(), crf.parameters(), strict=True):
        mine.copy_(theirs / temperature)
    return cooled


class SpanPatterns:
    """Word spans as patterns over the tags of a head's steps.

    Args:
        tag_set: of the head.
        rules: of its CRF, so that no pattern is made that breaks them; without any, every tag may follow every other.
    """

    def __init__(self, tag_set: TagSet, rules: Rules | None = None) -> None:
        self.over_pieces = tag_set.scheme == "iobx"
        names = tag_set.tags
        self._begin = {label: self._tags(names, f"B-{label}") for label in tag_set.labels}
        self._inside = {label: self._tags(names, f"I-{label}") for label in tag_set.labels}
        self._among = {label: self._begin[label] | self._inside[label] for label in tag_set.labels}
        pairs = rules.pairs if rules is not None else np.zeros((len(names), len(names)), dtype=bool)
        self._before_inside = {
            label: torch.from_numpy(~pairs[:, tag_set.index(f"I-{label}")]) for label in tag_set.labels
        }
        self._x = self._tags(names, X)
        self._outer = self._tags(names, PAD, X, CLS)

    @staticmethod
    def _tags(names: Sequence[str], *chosen: str) -> Tensor:
        return torch.tensor([name in chosen for name in names])

    def of(self, span: Span, sentence: int, word_of_piece: NDArray[np.int32]) -> list[SpanPattern]:
        """The patterns, which exclude each other, of a span in words.

        A span is B-x or an I-x that continues nothing, then I-x, and no I-x behind it (`TagSet.spans`). So it begins
        with B-x, or with I-x at the start of the sentence or behind a word that is neither B-x nor I-x. Over words a
        CRF's rules leave B-x alone; over pieces, where X stands between, every I-x may follow an X. Where a softmax
        decides, every tag may follow every other.
        """
        inside, among = self._inside[span.label], self._among[span.label]
        first, sizes = self._layout(word_of_piece)

        def rows(word: int, tags: Tensor) -> list[Tensor]:
            return [tags, *[self._x] * (int(sizes[word]) - 1)]

        rest = [row for word in range(span.start + 1, span.end) for row in rows(word, inside)]
        begin = self._begin[span.label] if span.start else among
        begun = torch.stack([*rows(span.start, begin), *rest])
        found = [SpanPattern(sentence, int(first[span.start]), begun, inside)]
        if span.start:
            before = rows(span.start - 1, ~among)
            before[-1] = before[-1] & self._before_inside[span.label]
            if before[-1].any():
                joined = torch.stack([*before, *rows(span.start, inside), *rest])
                found.append(SpanPattern(sentence, int(first[span.start - 1]), joined, inside))
        return found

    def _layout(self, word_of_piece: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first step of each word, and how many it has."""
        if not self.over_pieces:
            n_words = int(word_of_piece[-1]) + 1
            return np.arange(n_words), np.ones(n_words, dtype=np.int64)
        first, sizes = np.unique(word_of_piece, return_index=True, return_counts=True)[1:]
        return first[1:], sizes[1:]  # [CLS] is no word

    def well_formed(self, emissions: Tensor, words_of_pieces: Sequence[NDArray[np.int32]]) -> Tensor:
        """Emissions, (B, S, T), with -inf for tags that a piece cannot have: X at a word's first, all but X inside.

        So a span's probability over pieces is that among well-formed paths. Over words nothing changes.
        """
        if not self.over_pieces:
            return emissions
        words, _ = pad_rows(words_of_pieces, fill=NO_WORD)
        inner = torch.from_numpy(np.diff(words, axis=1, prepend=NO_WORD) == 0)
        wrong = torch.where(inner[:, :, None], ~self._x, self._outer)
        wrong &= torch.from_numpy(words != NO_WORD)[:, :, None]
        return emissions.masked_fill(wrong.to(emissions.device), -torch.inf)


def span_probabilities(
    crf: LinearChainCRF, emissions: Tensor, mask: Tensor, patterns: Sequence[Sequence[SpanPattern]]
) -> list[float]:
    """The probability of each span, given its patterns: (B, S, T), (B, S) -> N numbers."""
    flat = [pattern for each in patterns for pattern in each]
    found = iter(crf.span_probability(emissions, mask, flat).clamp(0, 1).tolist())
    return [min(sum(next(found) for _ in each), 1.0) for each in patterns]
