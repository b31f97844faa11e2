"""What a tagger believes of the places of a sentence: exact probabilities of spans, and of no span at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.corpus.documents import Document, Span, word_spans
from ner_head.corpus.tagging import OUTSIDE, TagSet, X
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.store.store import FeatureStore
from ner_head.head.crf import SpanPattern
from ner_head.inference.predictions import features_of
from ner_head.inference.span_decoder import SpanQuery
from ner_head.inference.tagger import OutputBatch, Tagger

READINGS = 10  # paths of a sentence whose spans are candidates


@dataclass(frozen=True)
class SentenceBeliefs:
    """Probabilities of the spans of one sentence, all in words.

    Attributes:
        document: index of the document.
        sentence: number of the sentence in it.
        gold: annotated spans, each with its probability.
        candidates: spans of the best paths that are not annotated, each with its probability.
        nothing: by (start, end) of all these spans, the probability that no word of it belongs to a span.
    """

    document: int
    sentence: int
    gold: tuple[Span, ...]
    candidates: tuple[Span, ...]
    nothing: dict[tuple[int, int], float]


@torch.inference_mode()
def beliefs(tagger: Tagger, documents: Sequence[Document], store: FeatureStore) -> Iterator[SentenceBeliefs]:
    """The beliefs of a tagger about each sentence, in any order.

    Args:
        tagger: tagger that was not trained on the documents.
        documents: annotated documents.
        store: their features.
    Raises:
        DataError: the store lacks features of a sentence.
    """
    places = [(d, s) for d, document in enumerate(documents) for s in range(len(document.sentences))]
    features = [each for document in documents for each in features_of(store, document)]
    ids = [each for document in documents for each in document_word_ids(document)]
    labels = set(tagger.tag_set.labels)
    for batch in tagger.outputs(features, ids):
        where = [places[i] for i in batch.members]
        golds = [
            [s for s in word_spans(documents[d].sentences[n], documents[d].spans) if s.label in labels]
            for d, n in where
        ]
        found = [_candidates(gold, row) for gold, row in zip(golds, _read(tagger, batch), strict=True)]
        spans = [[*gold, *more] for gold, more in zip(golds, found, strict=True)]
        chances = iter(tagger.decoder.probabilities(tagger.query(spans, batch)))
        nothing = iter(tagger.decoder.probabilities(_nothing(tagger, spans, batch)))
        for (document, sentence), gold, more in zip(where, golds, found, strict=True):
            known = [Span(s.start, s.end, s.label, next(chances)) for s in (*gold, *more)]
            none = {(s.start, s.end): next(nothing) for s in known}
            yield SentenceBeliefs(document, sentence, tuple(known[: len(gold)]), tuple(known[len(gold) :]), none)


def _read(tagger: Tagger, batch: OutputBatch) -> list[list[Span]]:
    """The spans of the best paths of each sentence."""
    paths = tagger.decoder.paths(batch.output.emissions, batch.steps.mask, READINGS)
    rows = zip(paths, batch.words_of_pieces, strict=True)
    return [[span for path in found for span in tagger.decoder.spans(path.tags, words)] for found, words in rows]


def _candidates(gold: Sequence[Span], found: Sequence[Span]) -> list[Span]:
    return sorted(set(found) - set(gold))


def _nothing(tagger: Tagger, spans: Sequence[Sequence[Span]], batch: OutputBatch) -> SpanQuery:
    """A query for the probability that all words of a span are outside of all spans."""
    base = tagger.query([[] for _ in spans], batch)
    patterns = [
        [outside(tagger.tag_set, span, row, words)]
        for row, (each, words) in enumerate(zip(spans, batch.words_of_pieces, strict=True))
        for span in each
    ]
    return SpanQuery(base.emissions, base.mask, patterns)


def outside(tag_set: TagSet, span: Span, row: int, word_of_piece: NDArray[np.int32]) -> SpanPattern:
    """The pattern of a range of words without any entity: O for each word, with X for its further pieces.

    Args:
        tag_set: tags of the head.
        span: the range, in words.
        row: its sentence in the batch.
        word_of_piece: word of each piece, (P,); -1 for [CLS].
    """
    no_tags = torch.zeros(len(tag_set), dtype=torch.bool)

    def only(tag: str) -> Tensor:
        tags = no_tags.clone()
        tags[tag_set.index(tag)] = True
        return tags

    if tag_set.scheme == "iob":
        rows = only(OUTSIDE).expand(span.end - span.start, -1)
        return SpanPattern(row, span.start, rows, no_tags)
    pieces = np.flatnonzero((word_of_piece >= span.start) & (word_of_piece < span.end))
    first = np.diff(word_of_piece, prepend=-2)[pieces] != 0
    return SpanPattern(row, int(pieces[0]), torch.stack([only(OUTSIDE) if new else only(X) for new in first]), no_tags)
