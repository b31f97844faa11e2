"""Convert annotations into what tags over words can express, and report which mentions change or are lost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Sentence, Span, character_span, widened, without_overlaps
from ner_head.corpus.segment import cut, segment
from ner_head.formats.labels import clean, fault
from ner_head.formats.problems import Problem, ProblemKind


@dataclass(frozen=True, slots=True)
class Fitted:
    """A document in the form that the later stages need.

    Attributes:
        document: document with sentences of at most `max_words` words, trimmed spans and cleaned labels.
        outcomes: problem of each original span, in order; None if tags express it unchanged.
        problems: problems of spans and long sentences, for the report.
        cut: number of words of each sentence that was cut.
    """

    document: Document
    outcomes: tuple[ProblemKind | None, ...]
    problems: tuple[Problem, ...]
    cut: tuple[int, ...]


def fit(document: Document, max_words: int) -> Fitted:
    """Segment a document if it has no sentences, cut long sentences, and clean spans and labels.

    Raises:
        DataError: a label is invalid.
    """
    problems: list[Problem] = []
    sentences: list[Sentence] = []
    too_long: list[int] = []
    for sentence in document.sentences or segment(document.text, document.language, max_words=len(document.text)):
        parts = cut(sentence, max_words)
        if len(parts) > 1:
            detail = f"{len(sentence.words):,} words in {len(parts):,} parts"
            problems.append(Problem(document.key, "long sentence cut", detail=detail))
            too_long.append(len(sentence.words))
        sentences += parts
    spans = [_clean(document, span) for span in document.spans]
    outcomes: list[ProblemKind | None] = []
    for given, span, lost in zip(document.spans, spans, _lost(sentences, spans), strict=True):
        changes: list[ProblemKind] = ["white space trimmed"] * ((given.start, given.end) != (span.start, span.end))
        changes += ["label cleaned"] * (given.label != span.label)
        found = [*([lost] if lost else []), *changes]
        outcomes.append(found[0] if found else None)
        problems += [_problem(document, kind, given) for kind in found]
    whole = replace(document, sentences=tuple(sentences), spans=tuple(sorted(spans)))
    unchanged = whole == document and all(span.probability is None for span in document.spans)
    return Fitted(document if unchanged else whole, tuple(outcomes), tuple(problems), tuple(too_long))


def _clean(document: Document, span: Span) -> Span:
    """Trim a span, unless it covers only white space, and clean its label. Gold has no probability."""
    covered = document.text[span.start : span.end]
    label = clean(span.label)
    if why := fault(label):
        raise DataError(f"{document.key}: {why}")
    if not covered.strip():
        return replace(span, label=label, probability=None)
    start = span.start + len(covered) - len(covered.lstrip())
    return replace(span, start=start, end=start + len(covered.strip()), label=label, probability=None)


def _lost(sentences: list[Sentence], spans: Iterable[Span]) -> list[ProblemKind | None]:
    """The problem of each span when it is written as tags over words; None if there is none."""
    starts = [sentence.start for sentence in sentences]
    inside: dict[int, list[tuple[int, Span]]] = {}
    kinds: dict[int, ProblemKind | None] = {}
    for number, span in enumerate(spans):
        position = bisect_right(starts, span.start) - 1
        if position >= 0 and span.end <= sentences[position].end:
            inside.setdefault(position, []).append((number, span))
        else:
            kinds[number] = "cut by a sentence boundary"
    for position, numbered in inside.items():
        numbers, members = zip(*numbered, strict=True)
        kinds |= zip(numbers, _in_sentence(sentences[position], list(members)), strict=True)
    return [kinds[number] for number in range(len(kinds))]


def _in_sentence(sentence: Sentence, spans: list[Span]) -> list[ProblemKind | None]:
    wide = [widened(sentence, span) for span in spans]
    kept = set(without_overlaps(filter(None, wide)))
    kinds: list[ProblemKind | None] = []
    for span, found in zip(spans, wide, strict=True):
        if found is None:
            kinds.append("not found")
        elif found not in kept:
            kinds.append("overlaps a longer span")
        else:
            kept.discard(found)  # a second span of the same words is one too many
            kinds.append(None if character_span(sentence, found) == span else "widened to whole words")
    return kinds


def _problem(document: Document, kind: ProblemKind, span: Span) -> Problem:
    return Problem(document.key, kind, document.text[span.start : span.end], f"{span.label} [{span.start}, {span.end})")
