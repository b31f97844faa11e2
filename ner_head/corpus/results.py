"""Results of a head as plain data: predictions, languages, readings and temperatures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import Field

from ner_head.base.params import Params
from ner_head.corpus.documents import Document, Span


class Reading(NamedTuple):
    """One of the n best readings of a sentence: its probability, and its spans in characters of the document."""

    probability: float
    spans: tuple[Span, ...]


class Guess(NamedTuple):
    """A predicted language and its probability."""

    language: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The prediction for a document.

    Attributes:
        document: the document with predicted spans, and with a predicted language if it was unknown.
        sentence_languages: predicted language of each sentence; empty for a head without a language classifier.
        readings: n best readings of each sentence, best first; empty if only the best was requested.
    """

    document: Document
    sentence_languages: list[Guess]
    readings: list[list[Reading]]

    def at_least(self, probability: float) -> Document:
        """The document without spans that are less probable."""
        kept = (s for s in self.document.spans if s.probability is None or s.probability >= probability)
        return replace(self.document, spans=tuple(kept))


class Temperatures(Params):
    """Divisors of scores and logits before they become probabilities (Guo et al., 2017).

    Values above 1 make probabilities less extreme. The best path and the most probable language do not change.
    """

    spans: float = Field(default=1.0, gt=0)
    """Divisor of the CRF's emissions and of its transition, start and end scores."""
    languages: float = Field(default=1.0, gt=0)
    """Divisor of the language classifier's logits."""
