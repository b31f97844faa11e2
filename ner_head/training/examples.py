"""Training examples and batches, from prepared documents and their cached features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.corpus.documents import Document, sentence_id
from ner_head.corpus.tagging import OUTSIDE, TagSet, document_word_spans
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.store.batches import FeatureBatch, keep_pieces, pad_features
from ner_head.features.store.pieces import pad_rows
from ner_head.features.store.shard import Features
from ner_head.features.store.store import FeatureStore
from ner_head.head.model import Head, Steps
from ner_head.head.words import WordFeatures
from ner_head.inference.tagger import pad_steps, pad_words
from ner_head.training.objective import NO_LANGUAGE

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True)
class Example:
    """One sentence.

    Attributes:
        name: Name of the sentence in the feature store.
        word_tags: Gold tag of each word, (W,).
        language: Index of the language; `NO_LANGUAGE` if unknown.
        free: Tags that words tagged O may have instead, because their document does not annotate these labels.
        word_ids: Hashed features of the words, (W, K).
    """

    name: str
    word_tags: list[int]
    language: int
    word_ids: NDArray[np.uint32]
    free: Sequence[int] = ()


@dataclass(frozen=True)
class Batch:
    """A batch of B sentences.

    Attributes:
        features: Features of the pieces.
        steps: Steps of the CRF.
        tags: Gold tags, (B, S) int64.
        languages: Indices of the languages, (B,) int64.
        words: Features of the words.
        allowed: The tags that each step may have, (B, S, T) bool; None if it is the gold tag everywhere.
    """

    features: FeatureBatch
    steps: Steps
    tags: Tensor
    languages: Tensor
    words: WordFeatures
    allowed: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Copy the batch to a device. The copy of a pinned batch is asynchronous."""
        return _each(self, lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """Copy the batch to pinned memory."""
        return _each(self, lambda tensor: tensor if tensor.is_cuda else tensor.pin_memory())


def _each(batch: T, change: Callable[[Tensor], Tensor]) -> T:
    """Apply a function to all tensors of a dataclass and of the dataclasses inside it; None stays."""

    def changed(part: Any) -> Any:
        if part is None:
            return None
        return change(part) if isinstance(part, Tensor) else _each(part, change)

    return type(batch)(*(changed(getattr(batch, field.name)) for field in fields(batch)))


def examples(documents: Sequence[Document], tag_set: TagSet, languages: Sequence[str]) -> list[Example]:
    """Convert all sentences of documents to examples."""
    index = {language: i for i, language in enumerate(languages)}
    return [
        Example(
            sentence_id(document.key, number),
            tag_set.encode(len(sentence.words), spans),
            index.get(document.language, NO_LANGUAGE),
            word_ids,
            free,
        )
        for document in documents
        for free in [tag_set.free(document.annotates)]
        for number, (sentence, word_ids, spans) in enumerate(
            zip(document.sentences, document_word_ids(document), document_word_spans(document), strict=True)
        )
    ]


def collate(chosen: Sequence[Example], store: FeatureStore, tag_set: TagSet, head: Head) -> Batch:
    """Read the features of a batch, as far as the head uses them, and pad them."""
    features = [keep_pieces(store[example.name], head.pieces) for example in chosen]
    tags, _ = pad_rows([_tags(*each, tag_set) for each in zip(chosen, features, strict=True)])
    return Batch(
        pad_features(features, head.layers, separator=head.reads_separator),
        pad_steps(features, tag_set.scheme),
        torch.from_numpy(tags),
        torch.tensor([example.language for example in chosen]),
        pad_words(features, [example.word_ids for example in chosen]),
        allowed_tags(torch.from_numpy(tags), [example.free for example in chosen], tag_set),
    )


def allowed_tags(tags: Tensor, free: Sequence[Sequence[int]], tag_set: TagSet) -> Tensor | None:
    """The tags that each step may have: the gold tag, and where that is O, the free tags of the sentence.

    Args:
        tags: Gold tags, (B, S) int64.
        free: Free tags of each sentence.
        tag_set: T tags.
    Returns:
        (B, S, T) bool; None if no sentence has free tags.
    """
    if not any(free):
        return None
    allowed = torch.nn.functional.one_hot(tags, len(tag_set)).bool()
    outside = tags == tag_set.index(OUTSIDE)
    for row, chosen in enumerate(free):
        allowed[row][:, list(chosen)] |= outside[row, :, None]
    return allowed


def _tags(example: Example, features: Features, tag_set: TagSet) -> NDArray[np.int64]:
    """Gold tags of the steps of a sentence."""
    tags = example.word_tags
    if tag_set.scheme == "iobx":
        tags = tag_set.encode_pieces(tags, features.word_of_piece.tolist())
    return np.array(tags)
