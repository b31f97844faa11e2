"""Error pages for tests."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ner_head.corpus.documents import Document, Reading, Span
from ner_head.corpus.segment import segment
from ner_head.pages.error_page import page

EVIL = '<script>document.title = "run"</script></script><!--<img src=x onerror="document.title=1"> &lt;b&gt; 😀 Jana.'


def made(number: int, text: str, spans: Sequence[Span], language: str = "cs", topic: str = "news") -> Document:
    return Document(f"doc-{number}", text, language, topic, segment(text, language), tuple(sorted(spans)))


def readings_of(document: Document) -> list[list[Reading]]:
    """Three readings of each sentence: all spans of the document, all but the first, none."""
    result = []
    for sentence in document.sentences:
        spans = [span for span in document.spans if sentence.start <= span.start and span.end <= sentence.end]
        found = [Reading(0.7, tuple(spans)), Reading(0.2, tuple(spans[1:])), Reading(0.05, ())]
        result.append(list({reading.spans: reading for reading in reversed(found)}.values())[::-1])
    return result


def corpus(n: int) -> tuple[list[Document], list[Document]]:
    """Documents of six sentences in four languages, and predictions with all kinds of errors."""
    rng, gold, predicted = random.Random(0), [], []
    for number in range(n):
        text, spans, found = "", list[Span](), list[Span]()
        for i in range(6):
            start = len(text) + 10
            text += f"Včera pan Novák{number} přijel do Prahy a mluvil o tom {i} krát. "
            end = start + 5 + len(str(number))
            city = text.index("Prahy", start)
            spans += [Span(start, end, "PER"), Span(city, city + 5, "LOC")]
            chance = rng.random()
            found += [
                [Span(start, end, "PER", chance)],
                [Span(start - 4, end, "PER", chance)],
                [Span(start, end, "ORG", chance)],
                [],
                [Span(start, end, "PER", chance), Span(city + 15, city + 19, "PRO", 0.3)],
            ][rng.randrange(5)] + [Span(city, city + 5, "LOC", 0.99)]
        document = made(number, text, spans, ("bg", "cs", "pl", "ru")[number % 4])
        gold.append(document)
        predicted.append(replace(document, spans=tuple(sorted(found))))
    return gold, predicted


def html(gold: Sequence[Document], predicted: Sequence[Document], splits: Sequence[str] = ()) -> str:
    readings = [readings_of(document) for document in predicted]
    return page("Errors <on> dev", "a & b", gold, predicted, readings, splits)
