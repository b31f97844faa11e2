"""Two taggers beside the gold, sentence by sentence where they differ, on one self-contained page without scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from string import Template
from typing import NamedTuple

from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.pages.error_page import text_rows
from ner_head.pages.parts import asset, head, safe

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
    sections = []
    for documents in zip(gold, a, b, strict=True):
        rows = rows_of(*documents)
        counts.update(row.kind for row in rows)
        if rows:
            sections.append(_section(rows, *documents, names))
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
    for start, end in text_rows(gold, (*gold.spans, *a.spans, *b.spans)):
        wanted, one, other = ({s for s in d.spans if start <= s.start < end} for d in (gold, a, b))
        if wanted == one == other:
            continue
        kind = "a" if one == wanted else "b" if other == wanted else "same" if one == other else "differ"
        found.append(Row(kind, start, end))
    return found


def _section(rows: Sequence[Row], gold: Document, a: Document, b: Document, names: tuple[str, str]) -> str:
    kinds = {row.kind for row in rows}
    only = f" only-{rows[0].kind}" if len(kinds) == 1 else ""
    heads = "".join(f"<span>{safe(name)}</span>" for name in ("gold", *names))
    lines = "".join(
        f'<div class="row {row.kind}" lang="{safe(gold.language)}">'
        + "".join(
            f'<div class="side" data-side="{safe(name)}">{_marked(document, row, set(gold.spans))}</div>'
            for name, document in zip(("gold", *names), (gold, a, b), strict=True)
        )
        + "</div>"
        for row in rows
    )
    place = f"<span>{safe(gold.language)}</span><span>{safe(gold.topic)}</span>"
    return (
        f'<section class="doc{only}"><header><h2>{safe(gold.id)}</h2>{place}</header>'
        f'<div class="sides">{heads}</div>{lines}</section>'
    )


def _marked(document: Document, row: Row, right: set[Span]) -> str:
    parts, at = [], row.start
    for span in without_overlaps(s for s in document.spans if row.start <= s.start < row.end):
        chance = "" if span.probability is None else f"<i>{span.probability:.2f}</i>"
        parts.append(
            f'{safe(document.text[at : span.start])}<mark class="{"right" if span in right else "spurious"}">'
            f"{safe(document.text[span.start : span.end])}<small>{safe(span.label)}{chance}</small></mark>"
        )
        at = span.end
    return "".join([*parts, safe(document.text[at : row.end])])
