"""Documents in files of this project, one JSON record per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ner_head.base.errors import DataError
from ner_head.base.files import new_text
from ner_head.base.params import SHORT
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Sentence, Span, Word, normal_form


def to_record(document: Document) -> dict[str, Any]:
    """Convert a document to its record in a file of documents.

    Words are stored as offsets only, so they cannot contradict the text.
    """
    return {
        "id": document.id,
        "topic": document.topic,
        "language": document.language,
        "text": document.text,
        "sentences": [[[word.start, word.end] for word in sentence.words] for sentence in document.sentences],
        "spans": [_fields(span) for span in document.spans],
        **({} if document.annotates is None else {"annotates": list(document.annotates)}),
    }


def _fields(span: Span) -> list[int | str | float | dict[str, str]]:
    """[start, end, label], then the probability if there is one, then an object of lemma and entity if it has them."""
    known = [] if span.probability is None else [span.probability]
    named = normal_form(span)
    return [span.start, span.end, span.label, *known, *([named] if named else [])]


def from_record(record: dict[str, Any]) -> Document:
    """Inverse of `to_record`.

    Raises:
        KeyError, TypeError, ValueError: the record is malformed, or has offsets outside the text.
    """
    text = record["text"]
    if not isinstance(text, str):
        raise TypeError("text is not a string")
    sentences = tuple(
        Sentence(tuple(Word(text[start:end], *checked(start, end, text)) for start, end in words))
        for words in record.get("sentences", [])
    )
    spans = tuple(sorted(span_of(item, text) for item in record.get("spans", [])))
    for name in ("id", "language", "topic"):
        if not isinstance(record.get(name, ""), str):
            raise TypeError(f"{name} is not a string")
    return Document(
        id=record["id"],
        text=text,
        language=record.get("language", UNKNOWN_LANGUAGE),
        topic=record.get("topic", ""),
        sentences=sentences,
        spans=spans,
        annotates=None if record.get("annotates") is None else tuple(map(str, record["annotates"])),
    )


def span_of(item: Sequence[Any], text: str) -> Span:
    """The span of a record: [start, end, label], maybe a probability, maybe an object of lemma and entity.

    Raises:
        TypeError, ValueError: it is malformed, or outside the text.
    """
    start, end, label, *rest = item
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise TypeError("a span is not [start, end, label]")
    named = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    if not all(isinstance(value, str) for value in named.values()) or not named.keys() <= {"lemma", "entity"}:
        raise ValueError(f"lemma and entity must be strings, got {SHORT.repr(named)}")
    probability = rest.pop() if rest else None
    if rest or type(probability) not in (float, int, type(None)):
        raise TypeError("the probability of a span is not a number")
    if probability is not None and not 0 <= probability <= 1:
        raise ValueError(f"probability {probability} is not between 0 and 1")
    return Span(*checked(start, end, text), label, probability, lemma=named.get("lemma"), entity=named.get("entity"))


def checked(start: int, end: int, text: str) -> tuple[int, int]:
    """Offsets, if they are inside a text.

    Raises:
        ValueError: they are not.
    """
    if not 0 <= start < end <= len(text):
        raise ValueError(f"offsets [{start}, {end}) outside the text (0..{len(text)}) or empty")
    return start, end


def write_documents(path: Path, documents: Iterable[Document]) -> int:
    """Write one document per line, and return their number.

    Without documents, the file has one empty line, because DVC warns about empty files.
    """
    count = 0
    with new_text(path) as handle:
        for document in documents:
            handle.write(json.dumps(to_record(document), ensure_ascii=False) + "\n")
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
                yield from_record(json.loads(line.decode("utf-8")))
            except UnicodeDecodeError as error:  # its repr has the whole line
                raise DataError(f"{path}:{number}: not a document: {error.reason} at byte {error.start}") from None
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise DataError(f"{path}:{number}: not a document: {error!r}") from None
