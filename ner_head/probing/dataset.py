"""A feature store as a data set of torch, for probes and taggers of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ner_head.base.errors import DataError
from ner_head.base.layers import layer_range
from ner_head.corpus.documents import Document, sentence_id
from ner_head.corpus.tagging import TagSet, document_word_spans
from ner_head.features.store.store import FeatureStore
from ner_head.probing.pooling import Pool, check_pool, vectors

IGNORED = -100  # label of padding, which the losses of torch leave out


class ProbeItem(NamedTuple):
    """A sentence."""

    name: str
    """Id of the sentence in the store."""
    hidden: Tensor
    """(N, K, D) float32: N pieces, words or one sentence, K layers."""
    word_of_piece: Tensor
    """(P,) int64, the word of each piece; -1 for [CLS]."""
    labels: Tensor
    """(W,) int64, the tag of each word; empty without documents."""


class ProbeBatch(NamedTuple):
    """B sentences, padded to the longest."""

    names: list[str]
    hidden: Tensor
    """(B, N, K, D) float32; zeros as padding."""
    mask: Tensor
    """(B, N) bool, False for padding."""
    word_of_piece: Tensor
    """(B, P) int64; -1 for [CLS] and padding."""
    labels: Tensor
    """(B, W) int64; -100 as padding. (B, 0) without documents."""


class ProbeDataset(Dataset[ProbeItem]):
    """Sentences of a feature store, with the tags of their words if documents are given.

    It can be used by the workers of a `DataLoader`, forked or spawned: each process opens the files for itself.

    Args:
        store: a feature store, or its folder.
        pool: `piece`, `word` (means of pieces) or `sentence` (mean of all pieces but [CLS]).
        layers: layers of the encoder: `all` that are stored, `last`, `last-4`, `7`, `8-12` ...
        documents: the documents of the store, with gold spans (`data/prepared/train.jsonl`). The data set has their
            sentences then, in order; without them, it has all sentences.
        labels: types of the entities, for the order of the tags; by default those of the documents, sorted.

    Attributes:
        tag_set: the tags, whose indices are the labels; None without documents.

    Raises:
        DataError: the folder is no store, or lacks a sentence of the documents.
        UsageError: there is no such pool, or no such layers in the encoder.
    """

    def __init__(
        self,
        store: FeatureStore | Path | str,
        *,
        pool: Pool = "piece",
        layers: str = "all",
        documents: Sequence[Document] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        self.store = store if isinstance(store, FeatureStore) else FeatureStore.open(Path(store))
        self.pool = check_pool(pool)
        record = self.store.manifest.encoder
        self.layers: range | None = None
        if layers != "all":
            self.layers = layer_range(layers, record.n_layers, param="layers", lowest=0)
        self.tag_set: TagSet | None = None
        self._tags: list[list[int]] = []
        self.names = list(self.store) if documents is None else []
        if documents is not None:
            found = {span.label for document in documents for span in document.spans}
            self.tag_set = TagSet.iob(sorted(found) if labels is None else labels)
            for document in documents:
                self._add(document, self.tag_set)

    def _add(self, document: Document, tag_set: TagSet) -> None:
        for number, (sentence, found) in enumerate(zip(document.sentences, document_word_spans(document), strict=True)):
            name = sentence_id(document.key, number)
            if name not in self.store:
                raise DataError(f"{self.store.directory}: no features of {name}; give the documents of the store")
            spans = [span for span in found if span.label in tag_set.labels]
            self.names.append(name)
            self._tags.append(tag_set.encode(len(sentence.words), spans))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> ProbeItem:
        """The sentence of a number.

        Raises:
            DataError: its shard is damaged, or not all of the layers are stored.
        """
        name = self.names[index]
        features = self.store[name]
        hidden = vectors(features, self.pool, self.layers)
        words = features.word_of_piece.astype(np.int64)
        labels = self._tags[index] if self._tags else []
        if self._tags and len(labels) != words[-1] + 1:
            raise DataError(f"{self.store.directory}: {name} was cached with other words; run `dvc repro extract`")
        return ProbeItem(name, torch.from_numpy(hidden), torch.from_numpy(words), torch.tensor(labels).long())


def collate(items: Sequence[ProbeItem]) -> ProbeBatch:
    """Pad sentences to a batch; the `collate_fn` of a `DataLoader`."""

    def padded(rows: Sequence[Tensor], fill: float = 0.0) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=fill)

    hidden = padded([item.hidden for item in items])
    lengths = torch.tensor([len(item.hidden) for item in items])
    return ProbeBatch(
        [item.name for item in items],
        hidden,
        torch.arange(hidden.shape[1]) < lengths[:, None],
        padded([item.word_of_piece for item in items], -1),
        padded([item.labels for item in items], IGNORED),
    )
