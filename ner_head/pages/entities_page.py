"""Texts with their entities marked, on one self-contained page that is written document by document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.pages.parts import asset, head, safe

HUES = 10  # classes c0 to c9 of entities.css


def page(documents: Iterable[Document], *, title: str = "Entities") -> Iterator[str]:
    """The page as HTML, in parts: the head, each document, and the end.

    Labels get colours in the order in which they occur. Of overlapping spans only the longest is marked.

    Args:
        documents: documents with predicted spans.
        title: title of the page.
    """
    style = asset("entities.css")
    yield f"{head(title, style)}<h1>{safe(title)}</h1>\n"
    hues: dict[str, int] = {}
    for document in documents:
        for span in document.spans:
            hues.setdefault(span.label, len(hues) % HUES)
        yield f"<section>\n{_heading(document)}\n<p{_language(document)}>{_marked(document, hues)}</p>\n</section>\n"
    yield "</body>\n</html>\n"


def _heading(document: Document) -> str:
    return f"<h2>{safe(document.id)}<small>{safe(document.language)}</small></h2>"


def _language(document: Document) -> str:
    return f' lang="{safe(document.language)}" dir="auto"'


def _marked(document: Document, hues: dict[str, int]) -> str:
    parts, at = [], 0
    for span in without_overlaps(document.spans):
        parts += [safe(document.text[at : span.start]), _mark(document, span, hues[span.label])]
        at = span.end
    return "".join([*parts, safe(document.text[at:])])


def _mark(document: Document, span: Span, hue: int) -> str:
    chance = "" if span.probability is None else f"<small>{span.probability:.2f}</small>"
    return f'<mark class="c{hue}">{safe(document.text[span.start : span.end])}<b>{safe(span.label)}</b>{chance}</mark>'
