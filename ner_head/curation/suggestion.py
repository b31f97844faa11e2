"""Choose the documents to annotate next: those that a tagger is least sure of, and that differ from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ner_head.corpus.documents import Document
from ner_head.corpus.near_copies import near_copies
from ner_head.corpus.word_features import document_word_ids
from ner_head.curation.beliefs import beliefs
from ner_head.features.store.store import FeatureStore
from ner_head.inference.predictions import features_of, predict_from_store
from ner_head.inference.tagger import Tagger


@torch.inference_mode()
def entropies(tagger: Tagger, documents: Sequence[Document], store: FeatureStore) -> NDArray[np.float64]:
    """The entropy of the tag paths of each document, in nats per word, (N,).

    It is the sum over its sentences, divided by its number of words (length-normalised path entropy; compare Settles
    and Craven, 2008, total token entropy). A document without words has 0.

    Raises:
        DataError: the store lacks features of a sentence.
    """
    home = [d for d, document in enumerate(documents) for _ in document.sentences]
    features = [each for document in documents for each in features_of(store, document)]
    ids = [each for document in documents for each in document_word_ids(document)]
    total = np.zeros(len(documents))
    for batch in tagger.outputs(features, ids):
        query = tagger.query([[] for _ in batch.members], batch)
        found = tagger.head.crf.entropy(query.emissions, query.mask).cpu().numpy()
        np.add.at(total, [home[i] for i in batch.members], found)
    return total / np.maximum(_n_words(documents), 1)


def expected_errors(
    tagger: Tagger, documents: Sequence[Document], store: FeatureStore, languages: Sequence[str]
) -> NDArray[np.float64]:
    """The expected number of wrong and missed spans of the prediction of each document, per word, (N,).

    A predicted span is wrong with the probability that it is not there; another span of the best paths is missed with
    the probability that it is there.

    Raises:
        DataError: the store lacks features of a sentence.
    """
    found = [each.document for each in predict_from_store(tagger, documents, store, languages)]
    total = np.zeros(len(documents))
    for each in beliefs(tagger, found, store):
        total[each.document] += sum(1 - (span.probability or 0.0) for span in each.gold)
        total[each.document] += sum(span.probability or 0.0 for span in each.candidates)
    return total / np.maximum(_n_words(documents), 1)


def _n_words(documents: Sequence[Document]) -> NDArray[np.int64]:
    return np.array([sum(len(sentence.words) for sentence in document.sentences) for document in documents])


def document_vectors(documents: Sequence[Document], store: FeatureStore) -> NDArray[np.float32]:
    """The mean state of the word pieces of each document in the last stored layer of the encoder, (N, D)."""
    rows = []
    for document in documents:
        states = [each.hidden[1:, -1].astype(np.float32) for each in features_of(store, document)]
        rows.append(np.concatenate(states).mean(axis=0) if states else np.zeros(store.manifest.encoder.width))
    return np.stack(rows).astype(np.float32)


def choose(
    scores: NDArray[np.float64],
    vectors: NDArray[np.float32],
    n: int,
    *,
    groups: Sequence[Sequence[int]] = (),
    known: NDArray[np.float32] | None = None,
) -> list[int]:
    """Choose n documents greedily, each with the largest product of its score and its distance to those chosen before.

    The distance is 1 minus the largest cosine between vectors from which the mean of all documents is subtracted. Of a
    group, one document is chosen at most.

    Args:
        scores: how uncertain each of N documents is, (N,), at least 0.
        vectors: vector of each document, (N, D).
        n: number of documents; fewer are chosen if there are fewer groups.
        groups: groups of near copies, as indices; none if each document is its own group.
        known: vectors of documents that are annotated already, (M, D). The distance counts from these too.
    Returns:
        Indices in the order of choice.
    """
    centre = vectors.mean(axis=0)
    own = _unit(vectors - centre)
    nearest = np.full(len(own), -1.0)
    if known is not None and len(known):
        nearest = (own @ _unit(known - centre).T).max(axis=1)
    twins = {i: group for group in groups for i in group}
    left = np.ones(len(own), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < n and left.any():
        value = np.where(left, scores * (1 - nearest), -np.inf)
        best = int(value.argmax())
        chosen.append(best)
        left[list(twins.get(best, [best]))] = False
        nearest = np.maximum(nearest, own @ own[best])
    return chosen


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return found


def new_groups(documents: Sequence[Document], annotated: Sequence[Document] = ()) -> list[list[int]]:
    """Groups of near copies among documents, without those that copy an annotated document.

    Raises:
        UsageError: scipy is not installed.
    """
    groups = near_copies([*documents, *annotated])
    return [group for group in groups if max(group) < len(documents)]
