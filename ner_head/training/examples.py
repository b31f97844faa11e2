"""Prepared documents and their cached features, as batches to learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.corpus.documents import Document, sentence_id, word_spans
from ner_head.corpus.tagging import TagSet
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.store.batches import FeatureBatch, keep_pieces, pad_features, pad_rows
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
    """One sentence: where its features are, its gold tags per word, its language's index, its words' features."""

    name: str
    word_tags: list[int]
    language: int
    word_ids: NDArray[np.uint32]


@dataclass(frozen=True)
class Batch:
    """Features, steps, gold tags (B, S), languages (B,) and words."""

    features: FeatureBatch
    steps: Steps
    tags: Tensor
    languages: Tensor
    words: WordFeatures

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device; a pinned one goes there while the host does something else."""
        return _each(self, lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """The same batch in memory that a GPU reads by itself."""
        return _each(self, lambda tensor: tensor if tensor.is_cuda else tensor.pin_memory())


def _each(batch: T, change: Callable[[Tensor], Tensor]) -> T:
    """A dataclass of tensors, or of such dataclasses, with every tensor changed."""
    parts = (getattr(batch, field.name) for field in fields(batch))
    return type(batch)(*(change(part) if isinstance(part, Tensor) else _each(part, change) for part in parts))


def examples(documents: Sequence[Document], tag_set: TagSet, languages: Sequence[str]) -> list[Example]:
    """Every sentence of the documents, spans as tags."""
    index = {language: i for i, language in enumerate(languages)}
    return [
        Example(
            sentence_id(document.key, number),
            tag_set.encode(len(sentence.words), word_spans(sentence, document.spans)),
            index.get(document.language, NO_LANGUAGE),
            word_ids,
        )
        for document in documents
        for number, (sentence, word_ids) in enumerate(zip(document.sentences, document_word_ids(document), strict=True))
    ]


def collate(chosen: Sequence[Example], store: FeatureStore, tag_set: TagSet, head: Head) -> Batch:
    """Read from the store what a head wants of a batch's features, and pad everything."""
    features = [keep_pieces(store[example.name], head.pieces) for example in chosen]
    tags, _ = pad_rows([_tags(*each, tag_set) for each in zip(chosen, features, strict=True)])
    return Batch(
        pad_features(features, head.layers),
        pad_steps(features, tag_set.scheme),
        torch.from_numpy(tags),
        torch.tensor([example.language for example in chosen]),
        pad_words(features, [example.word_ids for example in chosen]),
    )


def _tags(example: Example, features: Features, tag_set: TagSet) -> NDArray[np.int64]:
    """Gold over a sentence's steps."""
    tags = example.word_tags
    if tag_set.scheme == "iobx":
        tags = tag_set.encode_pieces(tags, features.word_of_piece.tolist())
    return np.array(tags)
