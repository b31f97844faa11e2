"""Documents -> predictions: character spans and languages, from cached features or from tagged sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, character_span, sentence_id
from ner_head.corpus.word_features import document_word_ids
from ner_head.errors import DataError
from ner_head.features.shard import Features
from ner_head.features.store import FeatureStore
from ner_head.tagger import Tagged, Tagger


@dataclass(frozen=True)
class Prediction:
    """A document with what was found instead of its gold, and the language guessed for each sentence.

    `sentence_languages` is empty for a head without a language classifier.
    """

    document: Document
    sentence_languages: list[str]


def to_prediction(document: Document, tagged: Sequence[Tagged], languages: Sequence[str]) -> Prediction:
    """Put the spans of a document's sentences into its characters.

    A document of unknown language gets the one with the highest summed log-probability over its sentences.
    """
    spans = [
        character_span(sentence, span)
        for sentence, result in zip(document.sentences, tagged, strict=True)
        for span in result.spans
    ]
    found = replace(document, spans=tuple(sorted(spans)))
    rows = np.array([result.languages for result in tagged])
    if not rows.size:
        return Prediction(found, [])
    if found.language == UNKNOWN_LANGUAGE:
        found = replace(found, language=languages[int(rows.sum(0).argmax())])
    return Prediction(found, [languages[i] for i in rows.argmax(1)])


def features_of(store: FeatureStore, document: Document) -> list[Features]:
    """The cached features of a document's sentences.

    Raises:
        DataError: the store lacks one, or has it with another number of words.
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
    tagger: Tagger, documents: Sequence[Document], store: FeatureStore, languages: Sequence[str]
) -> list[Prediction]:
    """Tag documents whose features are cached."""
    found = [features for document in documents for features in features_of(store, document)]
    return predict(tagger, documents, found, languages)


def predict(
    tagger: Tagger, documents: Sequence[Document], features: Sequence[Features], languages: Sequence[str]
) -> list[Prediction]:
    """Tag documents; `features` are those of all their sentences in turn."""
    word_ids = [ids for document in documents for ids in document_word_ids(document)] if tagger.head.words else []
    tagged = iter(tagger.tag(features, word_ids))
    return [to_prediction(d, [next(tagged) for _ in d.sentences], languages) for d in documents]
