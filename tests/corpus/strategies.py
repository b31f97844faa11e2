"""Hypothesis strategies for texts, spans, documents and corpora in folders."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment

LABELS = ("PER", "LOC", "ORG")
LANGUAGES = ("bg", "cs", "pl", "ru", "und", "zh")

# what segmentation decides by, beside any character that UTF-8 can hold
PIECES = (
    *"aбř.,:;!?…-'’\"„“»()[]0127\n\r\t  ",
    *(
        "г.",
        "r.",
        "T.",
        "ЕС27",
        "św. ",
        "\r\n",
        "\n\n",
        "\u00ad",
        "\u200b",
        "\u200d",
        "\u0301",
        "\x1c",
        "\u2028",
        "國。",
    ),
)
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=["Cs"])), max_size=60).map("".join)


@st.composite
def word_spans(draw: st.DrawFn, n_words: int) -> list[Span]:
    """Sorted spans over n_words words that do not overlap."""
    edges = sorted(draw(st.lists(st.integers(0, n_words), unique=True, max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [Span(start, end, draw(st.sampled_from(LABELS))) for start, end in pairs]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Segmented documents with any spans inside the text, overlapping ones too."""
    text, language = draw(texts), draw(st.sampled_from(LANGUAGES))
    pairs = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).filter(lambda pair: pair[0] < pair[1])
    spans = draw(st.lists(st.tuples(pairs, st.sampled_from(LABELS)), max_size=5)) if text else []
    return Document(
        draw(texts),
        text,
        language,
        draw(texts),
        segment(text, language),
        tuple(sorted(Span(start, end, label) for (start, end), label in spans)),
    )


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Files by relative path, as they are."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root
