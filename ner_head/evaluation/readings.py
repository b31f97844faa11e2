"""The n best readings of sentences: conversion to and from n-best files, and the score of an oracle choice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Reading, Span, character_span, word_spans
from ner_head.corpus.tagging import TagSet
from ner_head.evaluation.measures.spans import Counts
from ner_head.evaluation.nbest_files import NBest

Readings = Sequence[Sequence[Reading]]  # the readings of each sentence of a document, best first


def oracle(gold: Sequence[Document], readings: Sequence[Readings], n: int) -> Counts:
    """Counts of the choice with the highest micro F1, of one reading per sentence among its first n.

    F1 is a ratio of sums, so it cannot be maximised sentence by sentence. The iteration of Dinkelbach (1967) is used:
    each sentence's choice maximises 2 * correct - F1 * predicted for the F1 of the previous choice, until F1 no longer
    rises.
    """
    total = sum(len(set(document.spans)) for document in gold)
    rows = [
        [(len(wanted.intersection(reading.spans)), len(reading.spans)) for reading in each[:n]]
        for document, sentences in zip(gold, readings, strict=True)
        for wanted in [set(document.spans)]
        for each in sentences
    ]
    if not rows:
        return Counts(gold=total)
    table = np.array([[*row, *[row[0]] * (n - len(row))] for row in rows])  # fewer than n: the first again
    f1, best = -1.0, Counts()
    while True:
        choice = (2 * table[..., 0] - max(f1, 0.0) * table[..., 1]).argmax(axis=1)
        correct, predicted = table[np.arange(len(table)), choice].sum(axis=0).tolist()
        found = Counts(correct, predicted, total)
        if found.scores()["f1"] <= f1:
            return best
        f1, best = found.scores()["f1"], found


def to_nbest(document: Document, readings: Readings) -> Iterator[NBest]:
    """Convert readings to tags of words. White space separates fields, so it becomes `_` in words, `%20` in labels."""
    labels = sorted({span.label for each in readings for reading in each for span in reading.spans})
    tag_set, names = TagSet.iob(labels), TagSet.iob([_as_field(label) for label in labels]).tags
    for sentence, each in zip(document.sentences, readings, strict=True):
        words = tuple("_".join(word.text.split()) or "_" for word in sentence.words)
        rows = [tag_set.encode(len(words), word_spans(sentence, reading.spans)) for reading in each]
        tags = tuple(tuple(names[tag] for tag in row) for row in rows)
        yield NBest(words, tags, tuple(reading.probability for reading in each))


def from_nbest(documents: Iterable[Document], sentences: Iterator[NBest], source: object) -> list[Readings]:
    """Convert the sentences of an n-best file to readings of documents.

    Args:
        documents: Documents whose sentences are in the file, in this order.
        sentences: The sentences of the file.
        source: Name of the file, for error messages.
    Raises:
        DataError: The file has other sentences than the documents, or a tag that is none.
    """
    found: list[Readings] = []
    for document in documents:
        rows = []
        for number, sentence in enumerate(document.sentences):
            best = next(sentences, None)
            if best is None or len(best.words) != len(sentence.words):
                raise DataError(f"{source}: sentence {number} of {document.key} is not there; run `dvc repro evaluate`")
            try:
                spans = [tuple(character_span(sentence, span) for span in _spans(tags)) for tags in best.tags]
            except ValueError:
                raise DataError(
                    f"{source}: sentence {number} of {document.key} has a tag other than O, B-LABEL and I-LABEL; "
                    "run `dvc repro evaluate`"
                ) from None
            rows.append([Reading(*each) for each in zip(best.probabilities, spans, strict=True)])
        found.append(rows)
    return found


def _spans(tags: Sequence[str]) -> list[Span]:
    tag_set = TagSet.iob(sorted({tag[2:] for tag in tags} - {""}))
    spans = tag_set.spans([tag_set.index(tag) for tag in tags])
    return [replace(span, label=_from_field(span.label)) for span in spans]


def _as_field(label: str) -> str:
    """Percent-encode spaces in a label, because spaces separate the fields of an n-best file."""
    return label.replace("%", "%25").replace(" ", "%20")


def _from_field(field: str) -> str:
    return field.replace("%20", " ").replace("%25", "%")
