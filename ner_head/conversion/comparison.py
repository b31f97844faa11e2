"""Compare annotations that came back from a tool with the predictions that went out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from ner_head.corpus.documents import Document, Span

Fate = Literal[
    "accepted",  # a predicted mention that came back as it was
    "label changed",  # one with another label
    "boundaries changed",  # one with other boundaries and the same label
    "both changed",
    "removed",  # one that no mention of the annotator overlaps
    "new",  # a mention of the annotator that overlaps no prediction
]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a mention.

    Attributes:
        document: key of the document that came back.
        fate: what became of it.
        predicted: the mention as it was predicted; None for a new one.
        corrected: the mention as it came back; None for a removed one.
    """

    document: str
    fate: Fate
    predicted: Span | None
    corrected: Span | None


@dataclass(slots=True)
class Comparison:
    """The mentions of all documents that came back.

    Attributes:
        changes: what became of each mention.
        documents: number of documents that came back and have a prediction.
        unchanged: number of those with the mentions that were predicted.
        unknown: keys of documents that came back and were not predicted.
        missing: keys of predicted documents that did not come back.
    """

    changes: list[Change] = field(default_factory=list)
    documents: int = 0
    unchanged: int = 0
    unknown: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def counts(self) -> dict[Fate, int]:
        """The number of mentions of each fate."""
        counts = Counter(change.fate for change in self.changes)
        return {fate: counts[fate] for fate in get_args(Fate)}

    def lines(self) -> list[str]:
        """A summary for people."""
        counts = self.counts()
        changed = counts["label changed"] + counts["boundaries changed"] + counts["both changed"]
        return [
            f"documents: {self.documents:,} came back, {self.unchanged:,} of them unchanged, "
            f"{len(self.missing):,} predicted ones are missing, {len(self.unknown):,} were not predicted",
            f"mentions: {counts['accepted']:,} accepted, {changed:,} changed (label {counts['label changed']:,}, "
            f"boundaries {counts['boundaries changed']:,}, both {counts['both changed']:,}), "
            f"{counts['removed']:,} removed, {counts['new']:,} new",
        ]


def compare(corrected: Iterable[Document], predicted: Iterable[Document]) -> Comparison:
    """Compare documents that came back with predicted ones.

    Documents are paired by their texts, because tools give ids of their own; of those with one text, by id if one has
    it, else in order.
    """
    waiting: dict[str, list[Document]] = defaultdict(list)
    for document in predicted:
        waiting[document.text].append(document)
    found = Comparison()
    for document in corrected:
        candidates = waiting[document.text]
        if not candidates:
            found.unknown.append(document.key)
            continue
        same = next((each for each in candidates if each.id == document.id), candidates[0])
        candidates.remove(same)
        found.documents += 1
        found.unchanged += set(same.spans) == set(document.spans)
        found.changes += _changes(document, same)
    found.missing = [document.key for left in waiting.values() for document in left]
    return found


def _changes(corrected: Document, predicted: Document) -> list[Change]:
    """What became of each mention of a document, in the order of the text.

    Equal mentions are paired first, then each prediction with the mention that shares most characters with it.
    """
    after, before = list(dict.fromkeys(corrected.spans)), list(dict.fromkeys(predicted.spans))
    pairs: list[tuple[Span | None, Span | None]] = [(span, span) for span in before if span in after]
    left, mine = [s for s in before if s not in after], [s for s in after if s not in before]
    shared = [(min(p.end, c.end) - max(p.start, c.start), p, c) for p in left for c in mine]
    for _, one, other in sorted((each for each in shared if each[0] > 0), key=lambda each: (-each[0], *each[1:])):
        if one in left and other in mine:
            pairs.append((one, other))
            left.remove(one)
            mine.remove(other)
    pairs += [*((span, None) for span in left), *((None, span) for span in mine)]
    pairs.sort(key=lambda pair: (pair[1] or pair[0] or Span(0, 0, "")).start)
    return [Change(corrected.key, _fate(*pair), *pair) for pair in pairs]


def _fate(predicted: Span | None, corrected: Span | None) -> Fate:
    if predicted is None:
        return "new"
    if corrected is None:
        return "removed"
    label = predicted.label != corrected.label
    place = (predicted.start, predicted.end) != (corrected.start, corrected.end)
    if label and place:
        return "both changed"
    return "label changed" if label else "boundaries changed" if place else "accepted"
