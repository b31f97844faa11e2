"""Documents with exact text, sentences, words and entities, all as half-open offsets; and their JSONL files."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ner_head.corpus.shown import SHOWN, counted, rounded, short

UNKNOWN_LANGUAGE = "und"  # ISO 639-2: undetermined


@dataclass(frozen=True, slots=True, order=True, repr=False)
class Span:
    """An entity [start, end): in words within a sentence, in characters everywhere else.

    A predicted span has a `probability`, and a span of a `Recognizer` also has its `text`. `lemma` is the base form of
    the whole mention, and `entity` the id of what it names, the same in all documents and languages; None if unknown.
    Comparisons ignore these four.
    """

    start: int
    end: int
    label: str
    probability: float | None = field(default=None, compare=False)
    text: str | None = field(default=None, compare=False, kw_only=True)
    lemma: str | None = field(default=None, compare=False, kw_only=True)
    entity: str | None = field(default=None, compare=False, kw_only=True)

    def __repr__(self) -> str:
        known = [] if self.probability is None else [f"probability={self.probability:.4f}"]
        texts = (("text", self.text), ("lemma", self.lemma), ("entity", self.entity))
        known += [f"{name}={short(text)!r}" for name, text in texts if text is not None]
        return f"Span({', '.join([str(self.start), str(self.end), repr(self.label), *known])})"


class Reading(NamedTuple):
    """One of the n best readings of a sentence: its probability, and its spans in characters of the document."""

    probability: float
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its characters [start, end) in the text of the document."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, repr=False)
class Sentence:
    """A sequence of at least one word."""

    words: tuple[Word, ...]

    @property
    def start(self) -> int:
        """Offset of the first character."""
        return self.words[0].start

    @property
    def end(self) -> int:
        """Offset after the last character."""
        return self.words[-1].end

    def __repr__(self) -> str:
        shown = short(" ".join(word.text for word in self.words[:SHOWN]))
        return f"Sentence({shown!r}, {counted(len(self.words), 'word')}, characters {self.start} to {self.end})"


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A text and its annotations. `spans` are gold or predicted entities in characters, sorted.

    Comparisons ignore the last three attributes.

    Attributes:
        annotates: labels that its gold spans have been annotated with, if there are others in the corpus; None for all
            labels. A word outside of its spans can be an entity of another label.
        language_probability: probability of a predicted language.
        readings: n best readings of each sentence, best first, if they were asked for.
        extra: further fields of the JSON record that the document was read from, and its id if that was a number;
            `to_dict` has them too.
    """

    id: str
    text: str
    language: str = UNKNOWN_LANGUAGE
    topic: str = ""
    sentences: tuple[Sentence, ...] = ()
    spans: tuple[Span, ...] = ()
    language_probability: float | None = field(default=None, compare=False)
    annotates: tuple[str, ...] | None = field(default=None, kw_only=True)
    readings: tuple[tuple[Reading, ...], ...] = field(default=(), compare=False, kw_only=True)
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False, kw_only=True)

    def __repr__(self) -> str:
        words = sum(len(sentence.words) for sentence in self.sentences)
        sizes = f"{counted(words, 'word')}, {counted(len(self.spans), 'span')}"
        return f"Document({short(self.id)!r}, {short(self.text)!r}, {self.language}, {sizes})"

    @property
    def key(self) -> str:
        """`topic/language/id`, which is unique in a corpus. Ids may repeat across topics and languages."""
        return f"{self.topic}/{self.language}/{self.id}"

    def judge(self, spans: Iterable[Span]) -> list[Span]:
        """The spans of labels that this document annotates: the others are neither right nor wrong."""
        return [span for span in spans if self.annotates is None or span.label in self.annotates]

    def with_texts(self) -> Document:
        """This document, with the text of each span in the span."""
        readings = tuple(
            tuple(Reading(r.probability, self._with_texts(r.spans)) for r in found) for found in self.readings
        )
        return replace(self, spans=self._with_texts(self.spans), readings=readings)

    def _with_texts(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        return tuple(replace(span, text=self.text[span.start : span.end]) for span in spans)

    def to_dict(self) -> dict[str, Any]:
        """The record that `ner-head predict` prints, see docs/prediction.md. Probabilities have four digits.

        There is a `topic` if the document has one, and there are `readings` if they were asked for.
        """
        record: dict[str, Any] = {"id": self.extra.get("id", self.id)}
        record |= {"topic": self.topic} if self.topic else {}
        record |= {
            "language": self.language,
            "language_probability": rounded(self.language_probability),
            "text": self.text,
            "spans": [
                self._span_record(span) | {"probability": rounded(span.probability)} | normal_form(span)
                for span in self.spans
            ],
        }
        if self.readings:
            record["readings"] = [
                {"start": sentence.start, "end": sentence.end, "best": [self._reading_record(one) for one in found]}
                for sentence, found in zip(self.sentences, self.readings, strict=True)
            ]
        return record | {name: value for name, value in self.extra.items() if name not in record}

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def _span_record(self, span: Span) -> dict[str, Any]:
        text = self.text[span.start : span.end]
        return {"start": span.start, "end": span.end, "label": span.label, "text": text}

    def _reading_record(self, reading: Reading) -> dict[str, Any]:
        spans = [self._span_record(span) for span in reading.spans]
        return {"probability": rounded(reading.probability), "spans": spans}


def normal_form(span: Span) -> dict[str, str]:
    """The lemma and the entity of a span, without those that are unknown."""
    named = {"lemma": span.lemma, "entity": span.entity}
    return {name: value for name, value in named.items() if value is not None}


def sentence_id(document_key: str, index: int) -> str:
    """The name of a sentence in the feature store."""
    return f"{document_key}#{index}"


def word_spans(sentence: Sentence, spans: Iterable[Span]) -> list[Span]:
    """Convert the character spans within a sentence to word spans.

    A span that begins or ends inside a word is widened to the whole word. Of overlapping spans, the longest is kept,
    then the first, so that the result can always be written as tags.
    """
    return without_overlaps(found for span in spans if (found := widened(sentence, span)) is not None)


def widened(sentence: Sentence, span: Span) -> Span | None:
    """The words of a sentence that a span of characters touches; None if it is not in the sentence, or has no word."""
    if span.start < sentence.start or sentence.end < span.end:
        return None
    first = bisect_right(sentence.words, span.start, key=lambda word: word.end)
    last = bisect_left(sentence.words, span.end, key=lambda word: word.start)
    return Span(first, last, span.label) if first < last else None


def without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """Drop overlapping spans: the longest are kept, then the leftmost. The result is sorted."""
    kept: list[Span] = []  # sorted by start, so that only neighbours can overlap
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start, s.label)):
        at = bisect_right(kept, span.start, key=lambda other: other.start)
        if all(span.end <= other.start or other.end <= span.start for other in kept[max(at - 1, 0) : at + 1]):
            kept.insert(at, span)
    return kept


def character_span(sentence: Sentence, span: Span) -> Span:
    """Convert a word span to characters of the document."""
    return replace(span, start=sentence.words[span.start].start, end=sentence.words[span.end - 1].end)
