"""Annotations that the probabilities of heads which did not see them contradict.

The idea is that of confident learning (Northcutt et al., 2021), on spans instead of tokens: a place of a sentence is
suspicious by the margin between the most probable alternative to its annotation and the annotation itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ner_head.corpus.documents import Document, Span, character_span
from ner_head.curation.beliefs import SentenceBeliefs

SuspectKind = Literal["missing", "spurious", "wrong type", "wrong boundary"]
KINDS: tuple[SuspectKind, ...] = ("missing", "spurious", "wrong type", "wrong boundary")


@dataclass(frozen=True)
class Suspect:
    """A place whose annotation is probably wrong. Spans are in characters of the document.

    Attributes:
        kind: what seems wrong: an annotation is missing, spurious, or has a wrong type or boundary. An annotation with
            another type and other boundaries is of the wrong type.
        document: index of the document.
        sentence: number of the sentence in it.
        gold: the annotated span with its probability; None if one is missing.
        found: the span that is more probable, with its probability; None if there should be none.
        margin: probability of the alternative less that of the annotation, from -1 to 1.
    """

    kind: SuspectKind
    document: int
    sentence: int
    gold: Span | None
    found: Span | None
    margin: float

    @property
    def place(self) -> tuple[int, int]:
        """First and last character, the end excluded, of all that it concerns."""
        spans = [span for span in (self.gold, self.found) if span is not None]
        return min(span.start for span in spans), max(span.end for span in spans)


def find_suspects(
    sentences: Iterable[SentenceBeliefs], documents: Sequence[Document], *, least: float = 0.0
) -> list[Suspect]:
    """Suspicious places, the largest margin first.

    Args:
        sentences: beliefs of taggers that were not trained on the documents.
        documents: the documents, which the beliefs number.
        least: smallest margin.
    """
    found = [suspect for each in sentences for suspect in _of_sentence(each, documents[each.document])]
    kept = [suspect for suspect in found if suspect.margin > least]
    return sorted(kept, key=lambda s: (-s.margin, s.document, s.place))


def _of_sentence(beliefs: SentenceBeliefs, document: Document) -> Iterator[Suspect]:
    """The suspects of a sentence; each alternative span is used once, for the annotation it contradicts most."""
    sentence = document.sentences[beliefs.sentence]

    def suspect(kind: SuspectKind, gold: Span | None, found: Span | None, margin: float) -> Suspect:
        before, after = (None if span is None else character_span(sentence, span) for span in (gold, found))
        return Suspect(kind, beliefs.document, beliefs.sentence, before, after, margin)

    used = set[Span]()
    for margin, gold, found in sorted((_against(beliefs, gold) for gold in beliefs.gold), key=lambda each: -each[0]):
        if found is None:
            yield suspect("spurious", gold, None, margin)
        elif found not in used:
            used.add(found)
            yield suspect("wrong boundary" if found.label == gold.label else "wrong type", gold, found, margin)
    free = [span for span in beliefs.candidates if not any(_overlap(span, gold) for gold in beliefs.gold)]
    free = document.judge(free)
    for span in sorted(free, key=lambda span: -_chance(span)):
        if not any(_overlap(span, other) for other in used):
            used.add(span)
            yield suspect("missing", None, span, _chance(span) - beliefs.nothing[span.start, span.end])


def _against(beliefs: SentenceBeliefs, gold: Span) -> tuple[float, Span, Span | None]:
    """The margin of the best alternative to an annotation, the annotation, and the alternative; None for no span."""
    nothing = beliefs.nothing[gold.start, gold.end]
    others = [span for span in beliefs.candidates if _overlap(span, gold)]
    best = max(others, key=_chance, default=None)
    if best is None or _chance(best) < nothing:
        return nothing - _chance(gold), gold, None
    return _chance(best) - _chance(gold), gold, best


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _chance(span: Span) -> float:
    return span.probability or 0.0


def counts(suspects: Iterable[Suspect]) -> dict[str, int]:
    """Number of suspects of each kind."""
    found = Counter(suspect.kind for suspect in suspects)
    return {kind: found[kind] for kind in KINDS}
