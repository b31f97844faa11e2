"""A self-contained page of suspicious annotations, in the style of `errors.html`. It has no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from string import Template

from ner_head.corpus.documents import Document, Span
from ner_head.curation.suspects import KINDS, Suspect, SuspectKind, counts
from ner_head.pages.parts import asset, head, safe

CLASSES: dict[SuspectKind, str] = {
    "missing": "missed",
    "spurious": "spurious",
    "wrong type": "wrong-type",
    "wrong boundary": "wrong-boundary",
}
"""The classes of page.css that colour each kind."""
HINTS: dict[SuspectKind, str] = {
    "missing": "the heads find an entity where none is annotated",
    "spurious": "the heads find no entity where one is annotated",
    "wrong type": "the heads find an entity of another type",
    "wrong boundary": "the heads find an entity of the same type with other boundaries",
}


def page(title: str, summary: str, documents: Sequence[Document], suspects: Sequence[Suspect]) -> Iterator[str]:
    """The page as HTML, in parts.

    Args:
        title: title of the page.
        summary: line below the title.
        documents: annotated documents, which the suspects number.
        suspects: suspects in the order of their rank.
    """
    style = asset("page.css") + _own("suspects.css")
    numbers = counts(suspects)
    chips = "\n".join(_chip(kind, numbers[kind]) for kind in KINDS)
    yield head(title, style)
    yield Template(_own("suspects.html")).substitute(title=safe(title), summary=safe(summary), chips=chips)
    for rank, suspect in enumerate(suspects, 1):
        yield _card(rank, suspect, documents[suspect.document])
    if not suspects:
        yield "<p>No annotation is less probable than an alternative.</p>\n"
    yield "</main>\n</body>\n</html>\n"


def _own(name: str) -> str:
    return (files("ner_head.curation") / "assets" / name).read_text(encoding="utf-8")


def _chip(kind: SuspectKind, number: int) -> str:
    name = kind.replace(" ", "-")
    return (
        f'    <label class="chip {CLASSES[kind]}" title="{HINTS[kind]}"><input type="checkbox" id="k-{name}" checked>'
        f"<span><i></i>{kind}<b>{number:,}</b></span></label>"
    )


def _card(rank: int, suspect: Suspect, document: Document) -> str:
    sentence = document.sentences[suspect.sentence]
    gold = [s for s in document.spans if sentence.start <= s.start and s.end <= sentence.end]
    found = [s for s in gold if s != suspect.gold and not _touches(s, suspect.found)]
    found = sorted([*found, *([suspect.found] if suspect.found else [])])
    css = CLASSES[suspect.kind]
    sides = "".join(
        f'<div class="side" data-side="{name}">{_marked(document, spans, special, css, suspect)}</div>'
        for name, spans, special in (("annotated", gold, suspect.gold), ("suggested", found, suspect.found))
    )
    return (
        f'<section class="doc {css}" id="s{rank}">\n<header><span class="rank">{rank}</span>'
        f'<h2 class="kind">{suspect.kind}</h2><span>{safe(document.key)}</span>'
        f'<span class="tally">margin {suspect.margin:.2f}</span></header>\n'
        f'<div class="row" lang="{safe(document.language)}">{sides}</div>\n</section>\n'
    )


def _marked(document: Document, spans: Sequence[Span], special: Span | None, css: str, suspect: Suspect) -> str:
    """The sentence with its spans marked; the special one in colour, with its probability."""
    sentence = document.sentences[suspect.sentence]
    parts, at = [], sentence.start
    for span in spans:
        if span.start < at:
            continue  # overlaps the one before it
        mine = special is not None and span == special
        chance = special.probability if mine and special is not None else None
        shown = "" if chance is None else f"<i>{chance:.2f}</i>"
        text, label = document.text[span.start : span.end], f"<small>{safe(span.label)}{shown}</small>"
        parts += [safe(document.text[at : span.start])]
        parts += [f'<mark class="{css if mine else "plain"}">{safe(text)}{label}</mark>']
        at = span.end
    return "".join([*parts, safe(document.text[at : sentence.end])])


def _touches(span: Span, other: Span | None) -> bool:
    return other is not None and span.start < other.end and other.start < span.end
