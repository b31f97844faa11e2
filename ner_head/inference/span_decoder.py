"""Emissions -> paths, spans and the probabilities of spans, at one temperature."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import TagSet
from ner_head.head.crf import Hypothesis, LinearChainCRF, SpanPattern
from ner_head.inference.span_patterns import SpanPatterns


@dataclass(frozen=True)
class SpanQuery:
    """Spans of a batch, in the form from which their probabilities are computed at any temperature.

    Attributes:
        emissions: (B, S, T), not divided by a temperature; -inf for tags that a piece cannot have.
        mask: (B, S) bool.
        patterns: patterns of each span, sentence after sentence.
    """

    emissions: Tensor
    mask: Tensor
    patterns: list[list[SpanPattern]]


class SpanDecoder:
    """Finds paths and spans in emissions, with probabilities at one temperature.

    A temperature divides all scores of a path: emissions, transitions, start and end (Guo et al., 2017, for a
    softmax). It changes no decision, only probabilities. Every method takes the emissions of the head as they are;
    this class divides both them and the scores of the CRF.

    Args:
        crf: the CRF of a head. It stays as it is; later changes of its scores are followed.
        tag_set: tags of the emissions.
        temperature: above 0.
    """

    def __init__(self, crf: LinearChainCRF, tag_set: TagSet, temperature: float = 1.0) -> None:
        self.crf, self.tag_set, self.temperature = crf, tag_set, temperature
        self._patterns = SpanPatterns(tag_set, crf.rules)
        self._tempered: LinearChainCRF | None = None

    def at(self, temperature: float) -> SpanDecoder:
        """A decoder of the same CRF at another temperature."""
        return SpanDecoder(self.crf, self.tag_set, temperature)

    def paths(self, emissions: Tensor, mask: Tensor, n: int = 1) -> list[list[Hypothesis]]:
        """The n best paths of each sentence, best first: (B, S, T), (B, S)."""
        return self._crf().decode(emissions / self.temperature, mask, n)

    def spans(self, tags: Sequence[int], word_of_piece: NDArray[np.int32]) -> list[Span]:
        """The spans of a path, in words.

        Args:
            tags: the path, S tags.
            word_of_piece: (P,), the word of each piece; -1 for [CLS].
        """
        if self.tag_set.scheme == "iobx":
            tags = self.tag_set.vote(tags, word_of_piece.tolist(), int(word_of_piece[-1]) + 1)
        return self.tag_set.spans(tags)

    def query(
        self,
        spans: Sequence[Sequence[Span]],
        emissions: Tensor,
        mask: Tensor,
        words_of_pieces: Sequence[NDArray[np.int32]],
    ) -> SpanQuery:
        """Prepare the computation of probabilities.

        Args:
            spans: spans of each of B sentences, in words.
            emissions: (B, S, T).
            mask: (B, S) bool.
            words_of_pieces: B arrays (P,), the word of each piece; -1 for [CLS].
        """
        rows = enumerate(zip(spans, words_of_pieces, strict=True))
        patterns = [self._patterns.of(span, row, words) for row, (found, words) in rows for span in found]
        return SpanQuery(self._patterns.well_formed(emissions, words_of_pieces), mask, patterns)

    def probabilities(self, query: SpanQuery) -> list[float]:
        """The probability of each span of a query, in order."""
        flat = [pattern for patterns in query.patterns for pattern in patterns]
        found = self._crf().span_probability(query.emissions / self.temperature, query.mask, flat)
        chances = iter(found.clamp(0, 1).tolist())
        return [min(sum(next(chances) for _ in patterns), 1.0) for patterns in query.patterns]

    @torch.inference_mode()
    def _crf(self) -> LinearChainCRF:
        """The CRF with its scores divided by the temperature.

        It is one copy, brought up to date at each call, so that it keeps its decoding tables while the scores stay.
        """
        if self.temperature == 1:
            return self.crf
        if self._tempered is None:
            self._tempered = copy.deepcopy(self.crf)
        for mine, theirs in zip(self._tempered.parameters(), self.crf.parameters(), strict=True):
            mine.copy_(theirs / self.temperature)
        return self._tempered
