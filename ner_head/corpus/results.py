"""What a head says of documents, as plain data: predictions, languages, readings, temperatures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import Field

from ner_head.base.params import Params
from ner_head.corpus.documents import Document, Span


class Reading(NamedTuple):
    """One of the n best readings of a sentence: its spans, in characters of the document, and its probability."""

    probability: float
    spans: tuple[Span, ...]


class Guess(NamedTuple):
    """A language and its probability."""

    language: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """A document with what was found instead of its gold.

    Attributes:
        document: text, sentences, the spans found, and the language, guessed where it was unknown.
        sentence_languages: the language guessed for each sentence, and its probability; empty for a head without
            a language classifier.
        readings: the n best of each sentence, best first; none where no more than one was asked for.
    """

    document: Document
    sentence_languages: list[Guess]
    readings: list[list[Reading]]

    def at_least(self, probability: float) -> Document:
        """The document with the spans that are so probable."""
        kept = (s for s in self.document.spans if s.probability is None or s.probability >= probability)
        return replace(self.document, spans=tuple(kept))


class Temperatures(Params):
    """What scores are divided by before they become probabilities (Guo et al., 2017): above 1 = less sure.

    No decision changes: the best path and the most probable language stay what they are.
    """

    spans: float = Field(default=1.0, gt=0)
    """Of the CRF: emissions, transitions, starts and ends."""
    languages: float = Field(default=1.0, gt=0)
    """Of the language classifier's logits."""
