"""Names: the distinct lemmas of a topic, by language and label. They are what is linked. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import Document
from ner_head.features.store.mentions import WordVectors
from ner_head.linking.keys import key

NameKey = tuple[str, str, str]
"""Language, label, and lemma in lower case."""


@dataclass
class Name:
    """A lemma of one language and label, with its mentions.

    Attributes:
        language: Its language.
        label: Its label.
        lemma: The lemma as it was first written.
        key: Its words, spelled by sound.
        documents: Numbers of the documents that have it.
        n_mentions: Number of mentions.
        total: Sum of the mean vectors of the mentions, (layers, D).
        entities: Gold ids of the mentions.
    """

    language: str
    label: str
    lemma: str
    key: tuple[str, ...]
    documents: set[int] = field(default_factory=set)
    n_mentions: int = 0
    total: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    entities: Counter[str] = field(default_factory=Counter)

    @cached_property
    def spelled(self) -> str:
        """The key as one word."""
        return "".join(self.key)


def names_of(
    documents: Sequence[Document], vectors: Sequence[Sequence[WordVectors]], chosen: Sequence[int]
) -> dict[NameKey, Name]:
    """The names of some documents. A span without a lemma is named by its form.

    Args:
        documents: All documents.
        vectors: Vectors of the words of each span.
        chosen: Numbers of the documents.
    """
    found: dict[NameKey, Name] = {}
    for number in chosen:
        document = documents[number]
        for span, rows in zip(document.spans, vectors[number], strict=True):
            place = name_key(document, span.label, span.lemma or document.text[span.start : span.end])
            name = found.get(place)
            if name is None:
                lemma = " ".join((span.lemma or document.text[span.start : span.end]).split())
                name = found[place] = Name(document.language, span.label, lemma, key(lemma))
            mean = rows.mean(0, dtype=np.float32)
            name.total = name.total + mean if name.n_mentions else mean
            name.n_mentions += 1
            name.documents.add(number)
            if span.entity is not None:
                name.entities[span.entity] += 1
    return found


def name_key(document: Document, label: str, lemma: str) -> NameKey:
    """The key of the name of a lemma."""
    return document.language, label, " ".join(lemma.lower().split())


def language_means(names: Sequence[Name]) -> dict[str, NDArray[np.float32]]:
    """The mean direction of the names of each language, (layers, D), and of all, as "". What is left tells names apart.

    The space of a multilingual encoder has a part that tells languages apart (Libovický et al., 2020).
    """
    units = np.stack([_unit(name.total) for name in names])
    languages = np.array([name.language for name in names])
    means = {language: units[languages == language].mean(0) for language in sorted(set(languages.tolist()))}
    return {**means, "": units.mean(0)}


def directions(names: Sequence[Name], means: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The direction of each name without the mean of its language, (names, layers, D), of length 1."""
    common = means.get("", np.zeros_like(names[0].total))
    return np.stack([_unit(_unit(name.total) - means.get(name.language, common)) for name in names])


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(length, 1e-6)).astype(np.float32)
    return unit
