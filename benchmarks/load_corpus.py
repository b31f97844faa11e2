"""Corpora of any size, made from the sample by substitution, and long texts made from them."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import regex

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.records import to_record
from ner_head.corpus.segment import segment
from ner_head.formats import FORMATS
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.prediction.writers import conll

SAMPLE = Path("data/sample")
CHANGED = 0.3  # share of the words outside of mentions that are replaced
COPIES = 0.05  # share of documents that are copies of the one before, with few changed words
CHANGED_IN_COPY = 0.05
_WORD = regex.compile(r"\p{Ll}{3,}")


class Source:
    """The sample's documents, and what their words and mentions are replaced by."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.documents = [d for d, _ in FORMATS["bsnlp2019"].read(SAMPLE, ReaderOptions(), ReaderLog())]
        self.words: dict[str, list[str]] = defaultdict(list)
        self.mentions: dict[tuple[str, str], list[Span]] = defaultdict(list)
        for document in self.documents:
            self.words[document.language] += _WORD.findall(document.text)
            for span in document.spans:
                named = replace(span, text=document.text[span.start : span.end])
                self.mentions[document.language, span.label].append(named)

    def corpus(self, number: int) -> Iterator[Document]:
        """Documents without sentences. Some are near copies of the document before them."""
        last = self.documents[0]
        for i in range(number):
            if i and self.random.random() < COPIES:
                made = self._changed(last, CHANGED_IN_COPY, mentions=False)
            else:
                made = self._changed(self.random.choice(self.documents), CHANGED, mentions=True)
            last = replace(made, id=f"{i:07d}")
            yield last

    def text(self, characters: int, language: str = "cs") -> Iterator[str]:
        """Texts of one language, with at least so many characters together."""
        mine = [document for document in self.documents if document.language == language]
        while characters > 0:
            made = self._changed(self.random.choice(mine), CHANGED, mentions=True).text.strip()
            characters -= len(made)
            yield made

    def _changed(self, document: Document, share: float, *, mentions: bool) -> Document:
        """A document with some words replaced by words of its language, and mentions by mentions of their type."""
        parts, spans, at, length = list[str](), list[Span](), 0, 0
        for span in [*document.spans, None]:
            end = span.start if span is not None else len(document.text)
            parts.append(self._words(document.text[at:end], document.language, share))
            length += len(parts[-1])
            if span is not None:
                found = span if not mentions else self.random.choice(self.mentions[document.language, span.label])
                text = document.text[span.start : span.end] if found is span else found.text or ""
                spans.append(replace(found, start=length, end=length + len(text), text=None))
                parts.append(text)
                length, at = length + len(text), span.end
        return replace(document, text="".join(parts), spans=tuple(spans))

    def _words(self, text: str, language: str, share: float) -> str:
        known, draw = self.words[language], self.random
        return _WORD.sub(lambda found: draw.choice(known) if draw.random() < share else found[0], text)


def write_jsonl(path: Path, documents: Iterable[Document]) -> None:
    """One record a line."""
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for document in documents:
            record = {name: value for name, value in to_record(document).items() if name != "sentences"}
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")


def write_conll(folder: Path, documents: Iterable[Document]) -> None:
    """A file LANGUAGE/TOPIC.conll of each topic and language."""
    files = {}
    for document in documents:
        path = folder / document.language / f"{document.topic}.conll"
        if path not in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            files[path] = path.open("w", encoding="utf-8", newline="\n")
        sentences = segment(document.text, document.language)
        files[path].write("".join(conll([replace(document, sentences=sentences)])))
    for handle in files.values():
        handle.close()


def write_bsnlp(folder: Path, documents: Iterable[Document]) -> None:
    """Two files a document, in the layout of the shared task."""
    for document in documents:
        place = Path(document.topic, document.language)
        raw, annotated = folder / "raw" / place, folder / "annotated" / place
        raw.mkdir(parents=True, exist_ok=True)
        annotated.mkdir(parents=True, exist_ok=True)
        head = f"{document.id}\n{document.language}\n2026-01-01\nhttps://news.example/{document.id}\n"
        (raw / f"{document.id}.txt").write_text(head + document.text, encoding="utf-8")
        rows = {document.text[s.start : s.end]: s for s in document.spans}
        lines = [f"{form}\t{s.lemma or form}\t{s.label}\t{s.entity or '-1'}\n" for form, s in rows.items()]
        (annotated / f"{document.id}.out").write_text(f"{document.id}\n{''.join(lines)}", encoding="utf-8")
