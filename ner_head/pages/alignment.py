"""Alignment of gold and predicted spans, and the kind of error of each pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from ner_head.corpus.documents import Span
from ner_head.evaluation.measures.spans import Overlaps

PairKind = Literal["right", "missed", "spurious", "wrong type", "wrong boundary"]
ERRORS: tuple[PairKind, ...] = ("missed", "spurious", "wrong type", "wrong boundary")


class SpanPair(NamedTuple):
    """A gold span and the predicted span that is aligned with it, either of which may be absent (None)."""

    kind: PairKind
    gold: Span | None
    predicted: Span | None


def align(gold: Iterable[Span], predicted: Iterable[Span]) -> list[SpanPair]:
    """Align the spans of a document, each at most once.

    Spans are aligned in four rounds, in each of which the longest overlaps come first: equal spans (right), equal
    offsets (wrong type), overlaps with the same label (wrong boundary), other overlaps (wrong type; their boundaries
    may also differ). The remaining gold spans are missed, the remaining predicted spans are spurious.

    Returns:
        Pairs in the order of the text.
    """
    wanted, found = dict.fromkeys(sorted(set(gold))), dict.fromkeys(sorted(set(predicted)))
    spans = list(found)
    overlaps = Overlaps(spans)
    touching = [(a, spans[place]) for a in wanted for place in overlaps.of(a)]
    rounds: Sequence[tuple[PairKind, Callable[[Span, Span], bool]]] = (
        ("right", lambda a, b: a == b),
        ("wrong type", lambda a, b: (a.start, a.end) == (b.start, b.end)),
        ("wrong boundary", lambda a, b: a.label == b.label),
        ("wrong type", lambda a, b: True),
    )
    pairs: list[SpanPair] = []
    for kind, fits in rounds:
        fitting = [(a, b) for a, b in touching if fits(a, b)]
        for a, b in sorted(fitting, key=lambda pair: (-overlap(*pair), pair)):
            if a in wanted and b in found:
                del wanted[a], found[b]
                pairs.append(SpanPair(kind, a, b))
    pairs += (SpanPair("missed", span, None) for span in wanted)
    pairs += (SpanPair("spurious", None, span) for span in found)
    return sorted(pairs, key=place)


def overlap(one: Span, other: Span) -> int:
    """Number of characters that two spans share."""
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def place(pair: SpanPair) -> Span:
    """The span that gives the position of a pair in the text: the gold span, or else the predicted one."""
    span = pair.gold or pair.predicted
    assert span is not None  # a pair has at least one span
    return span
