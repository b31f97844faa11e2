"""How sure a head is: the probability of a span, and temperatures that make probabilities mean what they say."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import CLS, PAD, TagSet, X
from ner_head.head.crf import LinearChainCRF, SpanPattern
from ner_head.params import Params


class Temperatures(Params):
    """What scores are divided by before they become probabilities (Guo et al., 2017): above 1 = less sure.

    No decision changes: the best path and the most probable language stay what they are.
    """

    spans: float = Field(default=1.0, gt=0)
    """Of the CRF: emissions, transitions, starts and ends."""
    languages: float = Field(default=1.0, gt=0)
    """Of the language classifier's logits."""


def tempered(crf: LinearChainCRF, temperature: float) -> LinearChainCRF:
    """The CRF whose own scores are divided by a temperature; itself at 1. Emissions are the caller's to divide."""
    if temperature == 1:
        return crf
    cooled = copy.deepcopy(crf)
    with torch.no_grad():
        for parameter in cooled.parameters():
            parameter.div_(temperature)
    return cooled


class SpanPatterns:
    """Word spans as patterns over the tags of a head's steps."""

    def __init__(self, tag_set: TagSet) -> None:
        self.over_pieces = tag_set.scheme == "iobx"
        names = tag_set.tags
        self._among = {label: self._tags(names, f"B-{label}", f"I-{label}") for label in tag_set.labels}
        self._begin = {label: self._tags(names, f"B-{label}") for label in tag_set.labels}
        self._inside = {label: self._tags(names, f"I-{label}") for label in tag_set.labels}
        self._x = self._tags(names, X)
        self._outer = self._tags(names, PAD, X, CLS)

    @staticmethod
    def _tags(names: Sequence[str], *chosen: str) -> Tensor:
        return torch.tensor([name in chosen for name in names])

    def of(self, span: Span, sentence: int, word_of_piece: NDArray[np.int32]) -> list[SpanPattern]:
        """The patterns, which exclude each other, of a span in words.

        Over words: B-x, then I-x, and no I-x behind it. Over pieces: the same on first pieces with X on the others;
        and since every I-x may follow an X, also I-x behind a word of another label whose last piece is X.
        """
        inside = self._inside[span.label]
        if not self.over_pieces:
            words = [self._begin[span.label], *[inside] * (span.end - span.start - 1)]
            return [SpanPattern(sentence, span.start, torch.stack(words), inside)]
        first, sizes = np.unique(word_of_piece, return_index=True, return_counts=True)[1:]
        place = span.start + 1  # [CLS] is word -1

        def rows(word: int, tags: Tensor) -> list[Tensor]:
            return [tags, *[self._x] * (int(sizes[word]) - 1)]

        rest = [row for word in range(place + 1, span.end + 1) for row in rows(word, inside)]
        begun = torch.stack([*rows(place, self._begin[span.label]), *rest])
        found = [SpanPattern(sentence, int(first[place]), begun, inside)]
        if span.start > 0 and sizes[place - 1] > 1:
            before = rows(place - 1, ~self._among[span.label])
            joined = torch.stack([*before, *rows(place, inside), *rest])
            found.append(SpanPattern(sentence, int(first[place - 1]), joined, inside))
        return found

    def well_formed(self, emissions: Tensor, words_of_pieces: Sequence[NDArray[np.int32]]) -> Tensor:
        """Emissions, (B, S, T), that leave X and its like to the pieces that they are for.

        So a span's probability over pieces is that among well-formed paths. Over words nothing changes.
        """
        if not self.over_pieces:
            return emissions
        kept = emissions.clone()
        for row, word_of_piece in enumerate(words_of_pieces):
            starts = torch.from_numpy(np.diff(word_of_piece, prepend=-2) != 0)
            starts[0] = False  # [CLS] rules itself
            inner = ~starts
            inner[0] = False
            size = len(word_of_piece)
            outer, x = self._outer.to(kept.device), self._x.to(kept.device)
            kept[row, :size][starts.to(kept.device)[:, None] & outer] = -torch.inf
            kept[row, :size][inner.to(kept.device)[:, None] & ~x] = -torch.inf
        return kept


def span_probabilities(
    crf: LinearChainCRF, emissions: Tensor, mask: Tensor, patterns: Sequence[Sequence[SpanPattern]]
) -> list[float]:
    """The probability of each span, given its patterns: (B, S, T), (B, S) -> N numbers."""
    flat = [pattern for each in patterns for pattern in each]
    found = iter(crf.span_probability(emissions, mask, flat).clamp(0, 1).tolist())
    return [min(sum(next(found) for _ in each), 1.0) for each in patterns]
