"""Predictions for documents: character spans and languages, from features or from tagged sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ner_head.base.errors import DataError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Reading, Sentence, Span, character_span, sentence_id
from ner_head.corpus.results import Guess, Prediction
from ner_head.corpus.word_features import document_word_ids

if TYPE_CHECKING:  # so that this module imports neither torch nor h5py
    from ner_head.features.store.shard import Features
    from ner_head.features.store.store import FeatureStore
    from ner_head.inference.tagged import Tagged
    from ner_head.inference.tagger import Tagger

LEAST_SURE = 0.5  # smallest probability of a document's language; below it the language is unknown


def to_prediction(document: Document, tagged: Sequence[Tagged], languages: Sequence[str]) -> Prediction:
    """Convert the spans of a document's sentences to character offsets, and predict its language if it is unknown."""
    spans = [
        character_span(sentence, span)
        for sentence, result in zip(document.sentences, tagged, strict=True)
        for span in result.spans
    ]
    found = replace(document, spans=tuple(sorted(spans)))
    readings = [readings_of(*each) for each in zip(document.sentences, tagged, strict=True)]
    rows = np.array([result.languages for result in tagged])
    if not rows.size:
        return Prediction(found, [], readings)
    if found.language == UNKNOWN_LANGUAGE:
        guess = guess_language(rows, languages)
        found = replace(found, language=guess.language, language_probability=guess.probability)
    guesses = [Guess(languages[i], math.exp(row[i])) for row, i in zip(rows, rows.argmax(1), strict=True)]
    return Prediction(found, guesses, readings)


def guess_language(rows: NDArray[np.float32], languages: Sequence[str]) -> Guess:
    """Predict the language of a document. It is unknown if no language has a probability of `LEAST_SURE`.

    Args:
        rows: Log-probabilities of the languages for each sentence, (N, G). They are averaged and not added, so that
            the confidence does not grow with the length of the document.
        languages: Names of the G languages.
    Returns:
        The language, and the probability of the most probable language, also if the language is unknown.
    """
    means = rows.mean(0, dtype=np.float64)
    probabilities = np.exp(means - np.logaddexp.reduce(means))
    best = int(probabilities.argmax())
    sure = probabilities[best] >= LEAST_SURE
    return Guess(languages[best] if sure else UNKNOWN_LANGUAGE, float(probabilities[best]))


def readings_of(sentence: Sentence, tagged: Tagged) -> list[Reading]:
    """Convert the hypotheses of a sentence to readings. Hypotheses with the same spans are merged to one reading."""
    chances: dict[tuple[Span, ...], float] = {}
    for spans, hypothesis in zip(tagged.alternatives, tagged.hypotheses, strict=bool(tagged.alternatives)):
        found = tuple(character_span(sentence, span) for span in spans)
        chances[found] = chances.get(found, 0.0) + hypothesis.probability
    return [Reading(min(chance, 1.0), spans) for spans, chance in chances.items()]


def features_of(store: FeatureStore, document: Document) -> list[Features]:
    """Read the cached features of a document's sentences.

    Raises:
        DataError: The store lacks a sentence, or has it with another number of words.
    """
    found = []
    for number, sentence in enumerate(document.sentences):
        name = sentence_id(document.key, number)
        if name not in store:
            raise DataError(f"{store.directory}: no features of {name}; run `dvc repro extract`")
        features = store[name]
        if int(features.word_of_piece[-1]) + 1 != len(sentence.words):
            raise DataError(f"{store.directory}: {name} was cached with other words; run `dvc repro extract`")
        found.append(features)
    return found


def predict_from_store(
    tagger: Tagger,
    documents: Sequence[Document],
    store: FeatureStore,
    languages: Sequence[str],
    *,
    n_best: int = 1,
    probabilities: bool = False,
) -> list[Prediction]:
    """Predict documents whose features are cached. For the arguments see `predict`."""
    found = [features for document in documents for features in features_of(store, document)]
    return predict(tagger, documents, found, languages, n_best=n_best, probabilities=probabilities)


def predict(
    tagger: Tagger,
    documents: Sequence[Document],
    features: Sequence[Features],
    languages: Sequence[str],
    *,
    n_best: int = 1,
    probabilities: bool = False,
) -> list[Prediction]:
    """Predict documents.

    Args:
        tagger: Tagger.
        documents: Documents with sentences.
        features: Features of all sentences of the documents, in order.
        languages: Names of the languages of the head's classifier.
        n_best: Number of hypotheses per sentence. Above 1 the predictions have readings.
        probabilities: Whether the predicted spans have probabilities.
    """
    word_ids = [ids for document in documents for ids in document_word_ids(document)] if tagger.head.reads_words else []
    tagged = iter(tagger.tag(features, word_ids, n_best=n_best, probabilities=probabilities))
    return [to_prediction(d, [next(tagged) for _ in d.sentences], languages) for d in documents]
