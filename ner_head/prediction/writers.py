"""Write results as JSONL, CoNLL, marked text, a page of HTML, or annotations of the BSNLP shared task.

Each writer yields the parts of the output as the documents come, so that any number of documents takes constant memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import regex

from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.corpus.tagging import document_word_spans
from ner_head.evaluation.bsnlp_documents import lines_of
from ner_head.formats.tags import cells
from ner_head.pages.entities_page import page

Writer = Callable[[Iterable[Document]], Iterator[str]]
"""Documents -> parts of the output."""
_WHITE = regex.compile(r"\s+")
_CONTROL = regex.compile(r"[\p{Cc}--[\t\n]]", regex.VERSION1)
_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}


def jsonl(documents: Iterable[Document]) -> Iterator[str]:
    """One JSON record per line (`Document.to_json`)."""
    return (f"{document.to_json()}\n" for document in documents)


def conll(documents: Iterable[Document]) -> Iterator[str]:
    """Words and IOB2 tags between tabs, an empty line after each sentence, and a comment before each document."""
    for document in documents:
        lines = [f"# newdoc id = {_one_field(document.id)}"]
        for sentence, spans in zip(document.sentences, document_word_spans(document), strict=True):
            found = (replace(span, label=_one_field(span.label)) for span in spans)
            tags = cells(found, len(sentence.words))
            rows = zip(sentence.words, tags, strict=True)
            lines += [*(f"{_one_field(word.text)}\t{tag}" for word, tag in rows), ""]
        yield "".join(f"{line}\n" for line in lines)


def _one_field(text: str) -> str:
    """A text without tabs and line ends, which separate the fields."""
    return _WHITE.sub(" ", text)


def bsnlp(documents: Iterable[Document]) -> Iterator[str]:
    """The annotation files of the BSNLP shared task, with an empty line between them."""
    for number, document in enumerate(documents):
        yield "\n" * bool(number) + "".join(f"{line}\n" for line in lines_of(document))


def text(documents: Iterable[Document]) -> Iterator[str]:
    """The texts with their entities in brackets: `[Jana Nová PER 0.98]`, each after a line with its id."""
    for document in documents:
        marked = "".join(plain if span is None else f"[{plain} {note(span)}]" for plain, span in segments(document))
        yield f"{heading(document)}\n{marked}\n\n"


def html(documents: Iterable[Document]) -> Iterator[str]:
    """One self-contained page (`pages.entities_page`)."""
    return page(documents)


WRITERS: dict[str, Writer] = {"jsonl": jsonl, "conll": conll, "text": text, "html": html, "bsnlp": bsnlp}
"""Writers by the name of `--to`."""


def heading(document: Document) -> str:
    """The line before a marked text: its id and language."""
    return visible(f"== {document.id} ({document.language})")


def note(span: Span) -> str:
    """The label and the probability of a span."""
    return visible(span.label if span.probability is None else f"{span.label} {span.probability:.2f}")


def segments(document: Document) -> Iterator[tuple[str, Span | None]]:
    """The text in parts, each with the span that covers it. Of overlapping spans only the longest is taken."""
    at = 0
    for span in without_overlaps(document.spans):
        yield visible(document.text[at : span.start]), None
        yield visible(document.text[span.start : span.end]), span
        at = span.end
    yield visible(document.text[at:].rstrip("\r\n")), None


def visible(text: str) -> str:
    """A text that is safe to print on a terminal: control characters are shown as pictures, as U+241B for escape."""
    return _CONTROL.sub(lambda found: chr(_PICTURES.get(ord(found[0]), 0xFFFD)), text.replace("\r\n", "\n"))
