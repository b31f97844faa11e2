"""Documents with exact text, sentences, words and entities, all as half-open offsets; and their JSONL files."""

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
    """An entity [start, end): in words within a sentence, in characters everywhere else.

    A predicted span has a `probability`, which comparisons ignore.
    """

    start: int
    end: int
    label: str
    probability: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its characters [start, end) in the text of the document."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Document:
    """A text and its annotations. `spans` are gold or predicted entities in characters, sorted.

    A predicted language has a `language_probability`, which comparisons ignore.
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
        """`topic/language/id`, which is unique in a corpus. Ids may repeat across topics and languages."""
        return f"{self.topic}/{self.language}/{self.id}"


def sentence_id(document_key: str, index: int) -> str:
    """The name of a sentence in the feature store."""
    return f"{document_key}#{index}"


def word_spans(sentence: Sentence, spans: Iterable[Span]) -> list[Span]:
    """Convert the character spans within a sentence to word spans.

    A span that begins or ends inside a word is widened to the whole word. Of overlapping spans, the longest is kept,
    then the first, so that the result can always be written as tags.
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


def to_json(document: Document) -> dict[str, Any]:
    """Convert a document to its JSON record. Words are stored as offsets only, so they cannot contradict the text."""
    return {
        "id": document.id,
        "topic": document.topic,
        "language": document.language,
        "text": document.text,
        "sentences": [[[word.start, word.end] for word in sentence.words] for sentence in document.sentences],
        "spans": [_fields(span) for span in document.spans],
    }


def _fields(span: Span) -> list[int | str | float]:
    """[start, end, label], with the probability if there is one."""
    known = [] if span.probability is None else [span.probability]
    return [span.start, span.end, span.label, *known]


def from_json(record: dict[str, Any]) -> Document:
    """Inverse of `to_json`.

    Raises:
        KeyError, TypeError, ValueError: the record is malformed, or has offsets outside the text.
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
    """Write one document per line, and return their number.

    Without documents, the file has one empty line, because DVC warns about empty files.
    """
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
    """Read the documents of a file, in order.

    Raises:
        DataError: the file cannot be opened, or a line is not a document (names file and line).
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
