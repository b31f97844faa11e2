"""The batch of documents to annotate next, with predictions as pre-annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.curation.suggestion import choose, document_vectors, entropies, expected_errors, new_groups
from ner_head.curation.unlabelled import Unlabelled
from ner_head.inference.predictions import predict_from_store

Criterion = Literal["entropy", "errors"]


def suggest(
    texts: Unlabelled, n: int, *, criterion: Criterion = "entropy", annotated: Sequence[Document] = ()
) -> list[Document]:
    """Choose documents to annotate, and predict them.

    Args:
        texts: unlabelled documents.
        n: number of documents.
        criterion: how uncertain a document is: entropy of its tag paths, or expected number of wrong spans, both per
            word.
        annotated: documents that are annotated already; near copies of them are not chosen.
    Returns:
        The chosen documents, the first choice first, with predicted spans and, as `extra`, `uncertainty`. Fewer than n
        if the rest are near copies.
    Raises:
        DataError: no document has words.
        UsageError: scipy is not installed.
    """
    documents = [document for document in texts.documents if document.sentences]
    if not documents:
        raise DataError("no text has words in it, so there is nothing to suggest")
    groups = new_groups(documents, annotated)
    fresh = sorted(i for group in groups for i in group)
    if not fresh:
        return []
    left = [documents[i] for i in fresh]
    if criterion == "entropy":
        scores = entropies(texts.tagger, left, texts.store)
    else:
        scores = expected_errors(texts.tagger, left, texts.store, texts.languages)
    place = {i: k for k, i in enumerate(fresh)}
    inner = [[place[i] for i in group] for group in groups]
    chosen = choose(scores, document_vectors(left, texts.store), n, groups=inner)
    found = predict_from_store(
        texts.tagger, [left[k] for k in chosen], texts.store, texts.languages, probabilities=True
    )
    values = np.round(scores[chosen], 4).tolist()
    return [
        replace(each.document, extra={**each.document.extra, "uncertainty": value})
        for each, value in zip(found, values, strict=True)
    ]
