"""Documents -> predictions: character spans and languages, from cached features or from tagged sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Reading, Sentence, Span, character_span, sentence_id
from ner_head.corpus.word_features import document_word_ids
from ner_head.errors import DataError
from ner_head.features.shard import Features
from ner_head.features.store import FeatureStore
from ner_head.tagger import Tagged, Tagger

LEAST_SURE = 0.5  # below it, no language is more probable than all others together


class Guess(NamedTuple):
    """A language and its probability."""

    language: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """A document with what was found instead of its gold.

    Attributes:
        document: text, sentences, the spans found, and the language, guessed where it was unknown.
        sentence_languages: the language guessed for each sentence, and its probability; empty for a head without
            a language classifier.
        readings: the n best of each sentence, best first; none where no more than one was asked for.
    """

    document: Document
    sentence_languages: list[Guess]
    readings: list[list[Reading]]

    def at_least(self, probability: float) -> Document:
        """The document with the spans that are so probable."""
        kept = (s for s in self.document.spans if s.probability is None or s.probability >= probability)
        return replace(self.document, spans=tuple(kept))


def to_prediction(document: Document, tagged: Sequence[Tagged], languages: Sequence[str]) -> Prediction:
    """Put the spans of a document's sentences into its characters, and guess its language where that is unknown."""
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
    """The language of a document, unknown where none has a probability of `LEAST_SURE`.

    Args:
        rows: (N, G) log-probabilities of its sentences. Their means are taken, so that a long text is no surer than
            its sentences are.
        languages: G names.
    Returns:
        the language and the probability of the best one, which stands beside "unknown" too.
    """
    means = rows.mean(0, dtype=np.float64)
    probabilities = np.exp(means - np.logaddexp.reduce(means))
    best = int(probabilities.argmax())
    sure = probabilities[best] >= LEAST_SURE
    return Guess(languages[best] if sure else UNKNOWN_LANGUAGE, float(probabilities[best]))


def readings_of(sentence: Sentence, tagged: Tagged) -> list[Reading]:
    """The hypotheses of a sentence as spans in characters; those with the same spans are one reading."""
    chances: dict[tuple[Span, ...], float] = {}
    for spans, hypothesis in zip(tagged.alternatives, tagged.hypotheses, strict=bool(tagged.alternatives)):
        found = tuple(character_span(sentence, span) for span in spans)
        chances[found] = chances.get(found, 0.0) + hypothesis.probability
    return [Reading(min(chance, 1.0), spans) for spans, chance in chances.items()]


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
    tagger: Tagger,
    documents: Sequence[Document],
    store: FeatureStore,
    languages: Sequence[str],
    *,
    n_best: int = 1,
    probabilities: bool = False,
) -> list[Prediction]:
    """Tag documents whose features are cached."""
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
    """Tag documents; `features` are those of all their sentences in turn.

    With `n_best` above 1 the predictions have readings, with `probabilities` each span carries its own.
    """
    word_ids = [ids for document in documents for ids in document_word_ids(document)] if tagger.head.reads_words else []
    tagged = iter(tagger.tag(features, word_ids, n_best=n_best, probabilities=probabilities))
    return [to_prediction(d, [next(tagged) for _ in d.sentences], languages) for d in documents]
