from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ner_head.corpus.documents import Span
from ner_head.pages.alignment import SpanPair, align, overlap

PER, ORG, LOC = (Span(0, 9, "PER"), Span(21, 25, "ORG"), Span(28, 33, "LOC"))


def test_each_kind_of_error_is_told() -> None:
    found = [Span(0, 4, "PER"), Span(21, 25, "PRO"), Span(50, 55, "LOC"), LOC]
    assert align([PER, ORG, LOC, Span(60, 61, "EVT")], found) == [
        SpanPair("wrong boundary", PER, Span(0, 4, "PER")),
        SpanPair("wrong type", ORG, Span(21, 25, "PRO")),
        SpanPair("right", LOC, LOC),
        SpanPair("spurious", None, Span(50, 55, "LOC")),
        SpanPair("missed", Span(60, 61, "EVT"), None),
    ]


def test_another_label_and_boundary_is_a_wrong_type() -> None:
    assert align([PER], [Span(5, 12, "ORG")]) == [SpanPair("wrong type", PER, Span(5, 12, "ORG"))]


def test_a_span_stands_for_the_gold_span_it_fits_best() -> None:
    # Jana | Malá predicted as two persons: the longer one is aligned, the other is spurious
    assert align([PER], [Span(0, 3, "PER"), Span(4, 9, "PER")]) == [
        SpanPair("spurious", None, Span(0, 3, "PER")),
        SpanPair("wrong boundary", PER, Span(4, 9, "PER")),
    ]
    # an equal label takes precedence over a longer overlap
    assert align([PER], [Span(0, 3, "PER"), Span(3, 9, "ORG")])[0] == SpanPair("wrong boundary", PER, Span(0, 3, "PER"))


def spans() -> st.SearchStrategy[list[Span]]:
    return st.lists(
        st.builds(
            lambda a, n, label: Span(a, a + n, label), st.integers(0, 20), st.integers(1, 6), st.sampled_from("AB")
        ),
        max_size=7,
    )


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(spans(), spans())
def test_no_span_is_lost_or_used_twice(gold: list[Span], predicted: list[Span]) -> None:
    pairs = align(gold, predicted)
    assert sorted(pair.gold for pair in pairs if pair.gold) == sorted(set(gold))
    assert sorted(pair.predicted for pair in pairs if pair.predicted) == sorted(set(predicted))
    for kind, wanted, found in pairs:
        if wanted and found:
            assert overlap(wanted, found) > 0
            assert (kind == "right") == (wanted == found)
        else:
            assert kind == ("missed" if wanted else "spurious")
