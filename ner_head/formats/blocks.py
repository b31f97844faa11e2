"""Blocks of words -> documents, for files in which nothing says where a document begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def into_documents(blocks: Iterable[Sequence[T]], n_words: int) -> list[list[Sequence[T]]]:
    """Group blocks, in their order, into documents of about so many words; no block is cut.

    A document ends with the block that gives it `n_words`. What is left behind the last one is a document of its own
    if it has half of them, else a part of the last.
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
