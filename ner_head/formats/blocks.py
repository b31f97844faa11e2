"""Group sentences into documents, for files without document marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def into_documents(blocks: Iterable[Sequence[T]], n_words: int) -> list[list[Sequence[T]]]:
    """Group consecutive blocks of words into documents of about `n_words` words each. No block is cut.

    A document ends with the block that brings it to `n_words`. The remaining blocks form a document of their own if
    they have at least half as many words; otherwise they join the last document.
    """
    documents: list[list[Sequence[T]]] = [[]]
    size = 0
    for block in blocks:
        if size >= n_words:
            documents.append([])
            size = 0
        documents[-1].append(block)
        size += len(block)
    if len(documents) > 1 and 2 * size < n_words:
        left = documents.pop()
        documents[-1] += left
    return documents
