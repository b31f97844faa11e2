"""Checks of annotations: what tags cannot express, inconsistent labels and boundaries, types with few examples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import regex

from ner_head.checks.findings import Finding, Kind, Place
from ner_head.checks.places import Places
from ner_head.corpus.documents import Document, Span, word_spans
from ner_head.corpus.shown import counted
from ner_head.formats.problems import LOST, ProblemKind
from ner_head.preparation.fitting import Fitted

FEW = 50  # spans of a type below which a head hardly learns it
LEAST_WORDS = 4  # of a sentence whose annotation is compared: shorter ones are headings and names alone
MARKS = regex.compile(r"^\p{P}+|\p{P}+$")
KIND_OF: dict[ProblemKind, Kind] = dict.fromkeys(LOST, "lost span")
PREFIX = {"lost span": "lost in training: ", "changed span": "", "long sentence": ""}


def check_fit(given: Document, fitted: Fitted, places: Places) -> Iterator[Finding]:
    """Spans that tags over words cannot express as they are, and sentences that were cut.

    Args:
        given: document as its reader gives it.
        fitted: the same document, segmented.
        places: places of documents.
    """
    whole = fitted.document
    for span, kind in zip(given.spans, fitted.outcomes, strict=True):
        if kind is not None:
            group = KIND_OF.get(kind, "changed span")
            message = f"{PREFIX[group]}{span.label} {given.text[span.start : span.end]!r} {_is(kind)}"
            place = places.of_span(whole, span)
            yield Finding("warning", group, message, (place,))
    for problem in fitted.problems:
        if problem.kind == "long sentence cut":
            message = f"a sentence of {problem.detail} (prepare.max_words)"
            yield Finding("warning", "long sentence", message, (Place(places.file(whole), whole.key),))


def _is(kind: ProblemKind) -> str:
    return {
        "cut by a sentence boundary": "is cut by the end of a sentence",
        "widened to whole words": "begins or ends inside a word",
        "overlaps a longer span": "overlaps a longer span",
        "white space trimmed": "has white space at an end",
        "label cleaned": "has white space or invisible characters in its label",
    }.get(kind, kind)


Occurrence = tuple[Document, Span]


def check_labels(documents: Sequence[Document], places: Places) -> Iterator[Finding]:
    """Forms with several labels, with the sentence of each occurrence of a rarer label."""
    of_form: dict[str, dict[str, list[Occurrence]]] = defaultdict(lambda: defaultdict(list))
    for document in documents:
        for span in document.spans:
            form = " ".join(document.text[span.start : span.end].lower().split())
            of_form[form][span.label].append((document, span))
    mixed = [(form, labels) for form, labels in of_form.items() if len(labels) > 1]

    def rarer(labels: Mapping[str, Sequence[Occurrence]]) -> int:
        sizes = [len(found) for found in labels.values()]
        return sum(sizes) - max(sizes)

    for form, labels in sorted(mixed, key=lambda each: (-rarer(each[1]), each[0])):
        ranked = sorted(labels.items(), key=lambda each: (-len(each[1]), each[0]))
        shown = ", ".join(f"{label} {len(found):,}" for label, found in ranked)
        spots = [places.of_span(*each) for _, found in reversed(ranked[1:]) for each in found]
        usual = places.of_span(*ranked[0][1][0])
        yield Finding("warning", "several labels", f"{form!r} is {shown}", (*spots, usual))


def check_sentences(documents: Sequence[Document], places: Places) -> Iterator[Finding]:
    """Sentences with the same words and different annotations."""
    found: dict[tuple[str, ...], list[tuple[Document, int]]] = defaultdict(list)
    for document in documents:
        for number, sentence in enumerate(document.sentences):
            if len(sentence.words) >= LEAST_WORDS:
                found[tuple(word.text for word in sentence.words)].append((document, number))
    for words, where in found.items():
        ways: dict[tuple[Span, ...], list[tuple[Document, int]]] = {}
        for document, number in where if len(where) > 1 else ():
            spans = tuple(word_spans(document.sentences[number], document.spans))
            ways.setdefault(spans, []).append((document, number))
        if len(ways) > 1:
            ranked = sorted(ways.items(), key=lambda each: len(each[1]))
            shown = " | ".join(f"{_named(words, spans)} ({len(same):,})" for spans, same in ranked)
            spots = tuple(places.of_sentence(*same[0]) for _, same in ranked)
            message = f"annotated in {len(ways)} ways: {shown}; also {spots[1].where}"
            yield Finding("warning", "same sentence", message, spots)


def _named(words: Sequence[str], spans: Sequence[Span]) -> str:
    return ", ".join(f"{' '.join(words[s.start : s.end])} {s.label}" for s in spans) or "nothing"


def check_punctuation(documents: Sequence[Document], places: Places) -> Iterator[Finding]:
    """Spans with punctuation at an end whose form is annotated without it elsewhere, with the same label."""
    known = Counter((document.text[s.start : s.end], s.label) for document in documents for s in document.spans)
    found: dict[tuple[str, str, str], list[Occurrence]] = defaultdict(list)
    for document in documents:
        for span in document.spans:
            form = document.text[span.start : span.end]
            bare = MARKS.sub("", form)
            if bare != form and known[bare, span.label]:
                found[form, bare, span.label].append((document, span))
    for (form, bare, label), where in sorted(found.items(), key=lambda each: -len(each[1])):
        message = f"{label} {form!r} ({len(where):,}) is {bare!r} elsewhere ({known[bare, label]:,})"
        yield Finding("warning", "punctuation", message, tuple(places.of_span(*each) for each in where))


def check_types(splits: Mapping[str, Sequence[Document]]) -> Iterator[Finding]:
    """Types with few examples, and types of other splits that train lacks."""
    counts = {name: Counter(s.label for d in documents for s in d.spans) for name, documents in splits.items()}
    first = next(iter(counts), "")
    for label, number in counts.get(first, Counter()).items():
        if number < FEW:
            message = (
                f"{counted(number, 'span')} of type {label} in {first}; a head needs {FEW} or more to learn a type"
            )
            yield Finding("warning", "few examples", message)
    for name, found in list(counts.items())[1:]:
        for label in sorted(found.keys() - counts[first].keys()):
            message = f"{counted(found[label], 'span')} of type {label} in {name}, none in {first}: none can be found"
            yield Finding("warning", "absent type", message)
