"""A warning for texts in a script that the encoder does not know."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from ner_head.corpus.documents import Document
from ner_head.corpus.shown import short
from ner_head.features.store.pieces import Pieces

LEAST_SHARE = 0.5  # of the words of a document


def warn_of_unknown_letters(documents: Sequence[Document], pieces: Sequence[Sequence[Pieces]], unk: int) -> None:
    """Warn of each document in which the encoder knows fewer than half of the words.

    Args:
        documents: the documents.
        pieces: word pieces of the sentences of each document.
        unk: id of the piece for unknown letters.
    """
    for document, sentences in zip(documents, pieces, strict=True):
        n_words = sum(len(sentence.words) for sentence in document.sentences)
        unknown = sum(len(np.unique(found.word_of_piece[found.ids == unk])) for found in sentences)
        if unknown > LEAST_SHARE * n_words:
            warnings.warn(
                f"document {short(document.id)}: {unknown} of {n_words} words have letters that the encoder does not "
                "know; entities and language are not to be trusted",
                stacklevel=2,
            )
