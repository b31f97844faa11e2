"""Documents: exact text, sentences, words and entities, all by half-open offsets; and their JSONL form."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ner_head.base.errors import DataError

UNKNOWN_LANGUAGE = "und"  # ISO 639-2: undetermined


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An entity [start, end): in words inside a sentence, in characters everywhere else.

    A predicted one carries its `probability`; two spans are equal whatever theirs.
    """

    start: int
    end: int
    label: str
    probability: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its characters [start, end) in the document's text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A run of words; never empty."""

    words: tuple[Word, ...]

    @property
    def start(self) -> int:
        """First character."""
        return self.words[0].start

    @property
    def end(self) -> int:
        """One past the last character."""
        return self.words[-1].end


@dataclass(frozen=True, slots=True)
class Document:
    """A text with what is known of it. `spans` are in characters, sorted, as annotated or found.

    A guessed language carries its `language_probability`; two documents are equal whatever theirs.
    """

    id: str
    text: str
    language: str = UNKNOWN_LANGUAGE
    topic: str = ""
    sentences: tuple[Sentence, ...] = ()
    spans: tuple[Span, ...] = ()
    language_probability: float | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """`topic/language/id`: unique in a corpus, where ids repeat across topics and languages."""
        return f"{self.topic}/{self.language}/{self.id}"


def sentence_id(document_key: str, index: int) -> str:
    """The name under which the feature store keeps a document's sentence."""
    return f"{document_key}#{index}"


def word_spans(sentence: Sentence, spans: Iterable[Span]) -> list[Span]:
    """Character spans as word spans, for those that lie inside the sentence.

    A span that begins or ends inside a word is widened to the whole word. Where widened spans overlap, the
    longest wins (then the first), so that the result can always be written as tags.
    """
    inside = []
    for span in spans:
        if span.start < sentence.start or sentence.end < span.end:
            continue
        covered = [i for i, word in enumerate(sentence.words) if word.start < span.end and span.start < word.end]
        if covered:
            inside.append(Span(covered[0], covered[-1] + 1, span.label))
    return without_overlaps(inside)


def without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """Keep the longest spans first, then the leftmost; drop what overlaps a kept one. Sorted by start."""
    kept: list[Span] = []  # by start, so that only neighbours can overlap
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start, s.label)):
        at = bisect_right(kept, span.start, key=lambda other: other.start)
        if all(span.end <= other.start or other.end <= span.start for other in kept[max(at - 1, 0) : at + 1]):
            kept.insert(at, span)
    return kept


def character_span(sentence: Sentence, span: Span) -> Span:
    """A word span as the characters that it covers in the document."""
    return replace(span, start=sentence.words[span.start].start, end=sentence.words[span.end - 1].end)


def to_json(document: Document) -> dict[str, Any]:
    """The JSONL record. Words are stored as offsets alone, so they cannot disagree with the text."""
    return {
        "id": document.id,
        "topic": document.topic,
        "language": document.language,
        "text": document.text,
        "sentences": [[[word.start, word.end] for word in sentence.words] for sentence in document.sentences],
        "spans": [_fields(span) for span in document.spans],
    }


def _fields(span: Span) -> list[int | str | float]:
    """[start, end, label], and the probability of one that has it."""
    known = [] if span.probability is None else [span.probability]
    return [span.start, span.end, span.label, *known]


def from_json(record: dict[str, Any]) -> Document:
    """Inverse of `to_json`.

    Raises:
        KeyError, TypeError, ValueError: the record is not one, or has offsets outside the text.
    """
    text = record["text"]

    def checked(start: int, end: int) -> tuple[int, int]:
        if not 0 <= start < end <= len(text):
            raise ValueError(f"offsets [{start}, {end}) outside the text (0..{len(text)}) or empty")
        return start, end

    sentences = tuple(
        Sentence(tuple(Word(text[start:end], *checked(start, end)) for start, end in words))
        for words in record.get("sentences", [])
    )
    spans = tuple(sorted(Span(*checked(start, end), *rest) for start, end, *rest in record.get("spans", [])))
    if wrong := [s.probability for s in spans if s.probability is not None and not 0 <= s.probability <= 1]:
        raise ValueError(f"probability {wrong[0]} is not between 0 and 1")
    return Document(
        id=record["id"],
        text=text,
        language=record.get("language", UNKNOWN_LANGUAGE),
        topic=record.get("topic", ""),
        sentences=sentences,
        spans=spans,
    )


def write_documents(path: Path, documents: Iterable[Document]) -> int:
    """Write one document a line, or an empty line where there is none (DVC warns of empty files); returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for document in documents:
            handle.write(json.dumps(to_json(document), ensure_ascii=False) + "\n")
            count += 1
        if not count:
            handle.write("\n")
    return count


def read_documents(path: Path) -> Iterator[Document]:
    """Read what `write_documents` wrote.

    Raises:
        DataError: file and line of a record that is not a document.
    """
    try:
        handle = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; run `dvc repro prepare`") from None
    with handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                yield from_json(json.loads(line.decode("utf-8")))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise DataError(f"{path}:{number}: not a document: {error!r}") from None
