"""Strict span counts (exact offsets and label), word-level scores and the confusion of labels."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ner_head.corpus.documents import Document, Span

Scores = dict[str, float]
MISSED, SPURIOUS = "(missed)", "(spurious)"  # not labels: labels are never in parentheses (formats/labels.py)


@dataclass(frozen=True)
class Counts:
    """Numbers of correct, predicted and gold spans. Counts of several documents can be added."""

    correct: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.correct + other.correct, self.predicted + other.predicted, self.gold + other.gold)

    def scores(self) -> Scores:
        """Precision, recall and F1 (0 where undefined), and the numbers of gold and predicted spans."""
        precision = self.correct / self.predicted if self.predicted else 0.0
        recall = self.correct / self.gold if self.gold else 0.0
        total = self.predicted + self.gold
        f1 = 2 * self.correct / total if total else 0.0
        return {"precision": precision, "recall": recall, "f1": f1, "gold": self.gold, "predicted": self.predicted}


class Overlaps:
    """An index of the spans of a document that finds those overlapping another span."""

    def __init__(self, spans: Sequence[Span]) -> None:
        """Index spans, which are sorted by position in the text."""
        self.spans = spans
        self.starts = [span.start for span in spans]
        self.longest = max((span.end - span.start for span in spans), default=0)

    def of(self, span: Span) -> Iterator[int]:
        """Indices of the spans that overlap a span, in order."""
        first, last = bisect_right(self.starts, span.start - self.longest), bisect_left(self.starts, span.end)
        return (place for place in range(first, last) if span.start < self.spans[place].end)


def total_counts(gold: Iterable[Document], predicted: Iterable[Document]) -> Counts:
    """Strict counts over all labels and documents."""
    pairs = ((set(wanted.spans), set(found.spans)) for wanted, found in zip(gold, predicted, strict=True))
    return sum((Counts(len(wanted & found), len(found), len(wanted)) for wanted, found in pairs), Counts())


def has_gold(documents: Iterable[Document]) -> bool:
    """Whether a split has gold spans, and so can be scored."""
    return any(document.spans for document in documents)


def word_labels(document: Document) -> list[str | None]:
    """The label of each word, None outside of entities. A word that is partly inside an entity has its label."""
    words = [word for sentence in document.sentences for word in sentence.words]
    ends = [word.end for word in words]
    labels: list[str | None] = [None] * len(words)
    for span in reversed(document.spans):  # reversed: where spans overlap, the first one labels the word
        index = bisect_right(ends, span.start)
        while index < len(words) and words[index].start < span.end:
            labels[index] = span.label
            index += 1
    return labels


def word_macro_f1(gold: Sequence[Document], predicted: Sequence[Document]) -> float:
    """Macro F1 over words: the mean F1 of the labels in the gold, including O, as in the paper."""
    correct, n_gold, n_predicted = Counter[str | None](), Counter[str | None](), Counter[str | None]()
    for wanted, found in zip(gold, predicted, strict=True):
        for a, b in zip(word_labels(wanted), word_labels(found), strict=True):
            n_gold[a] += 1
            n_predicted[b] += 1
            correct[a] += a == b
    f1s = [Counts(correct[x], n_predicted[x], n_gold[x]).scores()["f1"] for x in n_gold]
    return sum(f1s) / len(f1s) if f1s else 0.0


def confusion(gold: Sequence[Document], predicted: Sequence[Document]) -> list[tuple[str, str]]:
    """(gold label, predicted label) of the spans with equal offsets; `(missed)` or `(spurious)` for other spans."""
    pairs = []
    for wanted, found in zip(gold, predicted, strict=True):
        truth = {(s.start, s.end): s.label for s in wanted.spans}
        guess = {(s.start, s.end): s.label for s in found.spans}
        pairs += [(label, guess.get(place, MISSED)) for place, label in truth.items()]
        pairs += [(SPURIOUS, label) for place, label in guess.items() if place not in truth]
    return pairs
