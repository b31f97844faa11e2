"""Two taggers beside the gold, sentence by sentence where they differ, on one self-contained page without scripts."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from string import Template
from typing import NamedTuple

from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.pages.error_page import text_rows
from ner_head.pages.parts import asset, head, safe

MOST = 30_000_000  # characters of a page, about: browsers take long for more
KINDS = {
    "a": "A is right",
    "b": "B is right",
    "differ": "both are wrong, and differ",
    "same": "both have the same errors",
}
"""Kinds of sentences by class; sentences without an error are not shown."""


class Row(NamedTuple):
    """Characters [start, end) of a document, and the kind of what is in them."""

    kind: str
    start: int
    end: int


def page(
    title: str,
    summary: str,
    names: tuple[str, str],
    gold: Sequence[Document],
    a: Sequence[Document],
    b: Sequence[Document],
) -> str:
    """The page as HTML.

    Args:
        title: title of the page.
        summary: line below the title.
        names: names of the taggers.
        gold: annotated documents.
        a: the same documents with the spans of the first tagger.
        b: the same documents with the spans of the second one.
    """
    counts = Counter[str]()
    sections, size, left_out = list[str](), 0, 0
    for documents in zip(gold, a, b, strict=True):
        rows = rows_of(*documents)
        counts.update(row.kind for row in rows)
        if rows and size > MOST:
            left_out += 1
        elif rows:
            sections.append(_section(rows, *documents, names))
            size += len(sections[-1])
    if left_out:
        sections.append(f"<p>{left_out:,} more documents with errors are not shown: the page would be too large.</p>")
    boxes = "".join(
        f'<input type="checkbox" id="{kind}" {"" if kind == "same" else "checked"}>'
        f'<label for="{kind}" class="{kind}"><i></i>{text} <b>{counts[kind]:,}</b></label>'
        for kind, text in KINDS.items()
    )
    style = asset("page.css") + asset("compare.css")
    return head(title, style) + Template(asset("compare.html")).substitute(
        title=safe(title),
        summary=safe(summary),
        boxes=boxes,
        documents="\n".join(sections) or "<p>Both are right in every sentence.</p>",
    )


def rows_of(gold: Document, a: Document, b: Document) -> list[Row]:
    """The sentences with an error. A tagger is right in a sentence if it has the gold spans and no others."""
    found = []
    inside = [_from(d.spans) for d in (gold, a, b)]
    for start, end in text_rows(gold, (*gold.spans, *a.spans, *b.spans)):
        wanted, one, other = (set(spans(start, end)) for spans in inside)
        if wanted == one == other:
            continue
        kind = "a" if one == wanted else "b" if other == wanted else "same" if one == other else "differ"
        found.append(Row(kind, start, end))
    return found


def _from(spans: Sequence[Span]) -> Callable[[int, int], Sequence[Span]]:
    """A function that returns those of sorted spans that begin in [start, end)."""
    starts = [span.start for span in spans]
    return lambda start, end: spans[bisect_left(starts, start) : bisect_left(starts, end)]


def _section(rows: Sequence[Row], gold: Document, a: Document, b: Document, names: tuple[str, str]) -> str:
    kinds = {row.kind for row in rows}
    only = f" only-{rows[0].kind}" if len(kinds) == 1 else ""
    heads = "".join(f"<span>{safe(name)}</span>" for name in ("gold", *names))
    right = set(gold.spans)
    sides = [
        (name, document, _from(document.spans)) for name, document in zip(("gold", *names), (gold, a, b), strict=True)
    ]
    lines = "".join(
        f'<div class="row {row.kind}" lang="{safe(gold.language)}">'
        + "".join(
            f'<div class="side" data-side="{safe(name)}">{_marked(d, row, of(row.start, row.end), right)}</div>'
            for name, d, of in sides
        )
        + "</div>"
        for row in rows
    )
    place = f"<span>{safe(gold.language)}</span><span>{safe(gold.topic)}</span>"
    return (
        f'<section class="doc{only}"><header><h2>{safe(gold.id)}</h2>{place}</header>'
        f'<div class="sides">{heads}</div>{lines}</section>'
    )


def _marked(document: Document, row: Row, spans: Sequence[Span], right: set[Span]) -> str:
    parts, at = [], row.start
    for span in without_overlaps(spans):
        chance = "" if span.probability is None else f"<i>{span.probability:.2f}</i>"
        parts.append(
            f'{safe(document.text[at : span.start])}<mark class="{"right" if span in right else "spurious"}">'
            f"{safe(document.text[span.start : span.end])}<small>{safe(span.label)}{chance}</small></mark>"
        )
        at = span.end
    return "".join([*parts, safe(document.text[at : row.end])])
