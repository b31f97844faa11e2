"""The cached vectors of the words of mentions. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Sentence, Span, sentence_id
from ner_head.features.store.shard import Features
from ner_head.features.store.store import FeatureStore

WordVectors = NDArray[np.float16]
"""(words of a mention, layers, D)."""


def word_vectors(features: Features, words: range, layers: Sequence[int]) -> WordVectors:
    """The mean of the pieces of each word of a sentence, (W, layers, D).

    Args:
        features: Features of the sentence.
        words: The words.
        layers: Layers of the encoder.
    Raises:
        DataError: A layer is not stored.
    """
    places = [features.places(range(layer, layer + 1)).start for layer in layers]
    first, end = np.searchsorted(features.word_of_piece, [words.start, words.stop])
    of_word = features.word_of_piece[first:end]
    hidden = features.hidden[first:end][:, places].astype(np.float32)
    return np.stack([hidden[of_word == word].mean(0) for word in words]).astype(np.float16)


def words_of_span(sentence: Sentence, span: Span) -> range:
    """The words of a sentence that a span in characters touches; empty if it touches none."""
    touched = [i for i, word in enumerate(sentence.words) if word.start < span.end and span.start < word.end]
    return range(touched[0], touched[-1] + 1) if touched else range(0)


def span_vectors(document: Document, store: FeatureStore, layers: Sequence[int]) -> list[WordVectors]:
    """The vectors of the words of each span of a document; of those of its first sentence, if a span is in several.

    Raises:
        DataError: The store lacks a sentence or a layer.
    """
    width = store.manifest.encoder.width
    starts = [sentence.start for sentence in document.sentences]
    found: list[WordVectors] = []
    for span in document.spans:
        number = int(np.searchsorted(starts, span.start, side="right")) - 1
        words = words_of_span(document.sentences[number], span) if number >= 0 else range(0)
        if not words:
            found.append(np.zeros((1, len(layers), width), dtype=np.float16))
            continue
        name = sentence_id(document.key, number)
        if name not in store:
            raise DataError(f"{store.directory}: no features of {name}; run `dvc repro extract`")
        found.append(word_vectors(store[name], words, layers))
    return found


class SpanVectors(Sequence[list[WordVectors]]):
    """`span_vectors` of each document, read from the store when they are asked for, so that memory stays flat.

    Args:
        documents: The documents.
        store: The store.
        layers: Layers of the encoder.
    """

    def __init__(self, documents: Sequence[Document], store: FeatureStore, layers: Sequence[int]) -> None:
        self.documents, self.store, self.layers = documents, store, tuple(layers)

    def __len__(self) -> int:
        return len(self.documents)

    @overload
    def __getitem__(self, index: int) -> list[WordVectors]: ...
    @overload
    def __getitem__(self, index: slice) -> SpanVectors: ...

    def __getitem__(self, index: int | slice) -> list[WordVectors] | SpanVectors:
        if isinstance(index, slice):
            return SpanVectors(self.documents[index], self.store, self.layers)
        return span_vectors(self.documents[index], self.store, self.layers)


def nearest_layers(stored: range, wanted: Sequence[int]) -> list[int]:
    """The stored layer that is nearest to each wanted one."""
    return [min(max(layer, stored[0]), stored[-1]) for layer in wanted]
