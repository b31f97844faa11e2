"""`reports/errors.html`: gold and predicted spans side by side, on one self-contained page."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from string import Template
from typing import Any, NamedTuple

from ner_head.corpus.documents import Document, Reading, Span
from ner_head.pages.alignment import ERRORS, SpanPair, align, place
from ner_head.pages.parts import asset, head, safe

MOST = 10_000_000  # characters of the documents of a page, which is about three times as large: browsers take long
LEAST = 0.0005  # readings of a smaller probability are omitted


class TextRow(NamedTuple):
    """A row of the page: characters [start, end) of a document, and the readings of each sentence in them."""

    start: int
    end: int
    readings: list[Sequence[Reading]]


def page(
    title: str,
    summary: str,
    gold: Sequence[Document],
    predicted: Sequence[Document],
    readings: Sequence[Sequence[Sequence[Reading]]],
    splits: Sequence[str] = (),
) -> str:
    """The page as HTML. Of more than `MOST` characters of text, only the first documents with errors are shown.

    Args:
        title: Title of the page.
        summary: Line below the title.
        gold: Annotated documents.
        predicted: The same documents with predicted spans, each with its probability.
        readings: The n best readings of each sentence of each document.
        splits: The split of each document. With more than one split, documents can be filtered by it.
    """
    names = splits or [""] * len(gold)
    rows = list(zip(gold, predicted, readings, strict=True))
    chosen = _shown(gold, predicted)
    if len(chosen) < len(rows):
        summary += f"; shown: the first {len(chosen):,} documents with errors, because a larger page is too slow"
    documents = [{**_document(*each), "split": names[i]} for i in chosen for each in [rows[i]]]
    labels = {span.label for document in (*gold, *predicted) for span in document.spans}
    data = {
        "summary": summary,
        "kinds": [*ERRORS, "right"],
        "splits": list(dict.fromkeys(names)),
        "labels": sorted(labels),
        "languages": sorted({document.language for document in gold}),
        "documents": documents,
    }
    style, script = asset("page.css"), asset("page.js")
    return head(title, style, script) + Template(asset("page.html")).substitute(
        title=safe(title),
        script=script,
        data=_script_safe(json.dumps(data, ensure_ascii=False, separators=(",", ":"))),
    )


def _shown(gold: Sequence[Document], predicted: Sequence[Document]) -> list[int]:
    """Numbers of the documents on the page: all, or, if their texts are too long, the first that have errors."""
    if sum(len(document.text) for document in gold) <= MOST:
        return list(range(len(gold)))
    chosen, size = list[int](), 0
    for number, (wanted, found) in enumerate(zip(gold, predicted, strict=True)):
        if wanted.spans != found.spans and size + len(wanted.text) <= MOST:
            chosen.append(number)
            size += len(wanted.text)
    return chosen


def _script_safe(text: str) -> str:
    """Escape JSON for a `<script>` element: markup, and lone surrogates, which UTF-8 cannot encode."""
    escaped = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in escaped)


def _document(gold: Document, predicted: Document, readings: Sequence[Sequence[Reading]]) -> dict[str, Any]:
    pairs = align(gold.spans, predicted.spans)
    rows = _rows(gold, pairs, readings)
    starts = [row.start for row in rows]
    homes = [bisect_right(starts, place(pair).start) - 1 for pair in pairs]
    members: list[list[int]] = [[] for _ in rows]
    for i, home in enumerate(homes):
        members[home].append(i)
    return {
        "id": gold.id,
        "topic": gold.topic,
        "language": gold.language,
        "pairs": [_pair(pair, rows[home].readings) for pair, home in zip(pairs, homes, strict=True)],
        "rows": [_row(gold.text, row, pairs, inside) for row, inside in zip(rows, members, strict=True)],
    }


def _rows(document: Document, pairs: Sequence[SpanPair], readings: Sequence[Sequence[Reading]]) -> list[TextRow]:
    """The rows of a document, with the readings of their sentences."""
    spans = [span for pair in pairs for span in (pair.gold, pair.predicted) if span is not None]
    rows = [TextRow(start, end, []) for start, end in text_rows(document, spans)]
    starts = [row.start for row in rows]
    for sentence, found in zip(document.sentences, readings, strict=True):
        rows[bisect_right(starts, sentence.start) - 1].readings.append(found)
    return rows


def text_rows(document: Document, spans: Iterable[Span]) -> list[tuple[int, int]]:
    """The parts of a text that are shown as rows: one per sentence; sentences that share a span are merged to one.

    Args:
        document: a document with sentences.
        spans: spans of the document, each of which is inside of a row.
    Returns:
        Characters [start, end) of each row, in order.
    """
    merged: list[tuple[int, int]] = []
    parts = [*((s.start, s.end) for s in document.sentences), *((s.start, s.end) for s in spans)]
    for start, end in sorted(parts):
        if merged and start < merged[-1][1]:
            last, before = merged.pop()
            start, end = last, max(before, end)
        merged.append((start, end))
    return merged


def _pair(pair: SpanPair, readings: Sequence[Sequence[Reading]]) -> list[Any]:
    """[kind, gold label, predicted label, probability]. For a missed span, the probability of the readings with it."""
    gold, found = pair.gold, pair.predicted
    if found is not None:
        chance = 1.0 if found.probability is None else found.probability
    else:
        chance = min(1.0, sum((r.probability for each in readings for r in each if gold in r.spans), 0.0))
    return [pair.kind, gold and gold.label, found and found.label, round(chance, 4)]


def _row(text: str, row: TextRow, pairs: Sequence[SpanPair], members: Sequence[int]) -> dict[str, Any]:
    at = _units(text[row.start : row.end])

    def side(spans: Sequence[tuple[int, Span | None]]) -> list[list[Any]]:
        return [[at(s.start - row.start), at(s.end - row.start), s.label, i] for i, s in spans if s is not None]

    def reading(found: Reading) -> list[Any]:
        spans = [[at(s.start - row.start), at(s.end - row.start), s.label] for s in found.spans]
        return [round(found.probability, 4), spans]

    return {
        "text": text[row.start : row.end],
        "gold": sorted(side([(i, pairs[i].gold) for i in members])),
        "found": sorted(side([(i, pairs[i].predicted) for i in members])),
        "readings": [[reading(r) for r in each if r.probability >= LEAST] for each in row.readings],
    }


def _units(text: str) -> Callable[[int], int]:
    """A function from character offsets to UTF-16 offsets, which JavaScript uses: an emoji has two units."""
    if max(text, default="") <= "\uffff":
        return lambda position: position
    sums = [0, *accumulate(1 + (character > "\uffff") for character in text)]
    return lambda position: sums[position]
