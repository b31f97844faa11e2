"""Comparing the spans of a document takes time linear in their number, so that a document can be a book."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.evaluation.measures.spans import Overlaps
from ner_head.evaluation.report import metrics
from ner_head.pages.alignment import align

some_spans = st.lists(
    st.builds(lambda start, size: Span(start, start + size, "PER"), st.integers(0, 30), st.integers(1, 8)), max_size=12
)


@given(some_spans, some_spans)
def test_overlaps_are_those_of_a_look_at_all_spans(spans: list[Span], others: list[Span]) -> None:
    spans.sort()
    overlaps = Overlaps(spans)
    for other in others:
        wanted = [i for i, span in enumerate(spans) if span.start < other.end and other.start < span.end]
        assert list(overlaps.of(other)) == wanted


@given(some_spans)
def test_spans_without_overlaps_are_those_of_a_look_at_all_spans(spans: list[Span]) -> None:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start, s.label)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    assert without_overlaps(spans) == sorted(kept)


def test_twenty_thousand_spans_are_compared_within_seconds() -> None:
    text = "Jan a " * 20_000
    gold = Document("1", text, spans=tuple(Span(6 * i, 6 * i + 3, "PER") for i in range(20_000)))
    found = Document("1", text, spans=tuple(Span(6 * i, 6 * i + 3 + 2 * (i % 3), "PER") for i in range(20_000)))
    start = time.process_time()
    assert len(align(gold.spans, found.spans)) == 20_000
    metrics([gold], [found])
    assert time.process_time() - start < 20
