"""Cut a stream of documents into groups that are computed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Final, TypeVar

from ner_head.base.errors import NerHeadError
from ner_head.corpus.documents import Document

SMALLEST, LARGEST = 1 << 11, 1 << 15  # characters of the first group, and of the largest ones: about 8,000 word pieces
PART_PIECES = 8192  # pieces whose hidden states are in memory: 150 MB for BERT-base
S = TypeVar("S", bound=Sized)


class Pause:
    """A mark in a stream of documents: the next document is not there yet."""


PAUSE: Final = Pause()


def grouped(documents: Iterable[Document | Pause]) -> Iterator[list[Document]]:
    """Groups of documents, in order. A group ends before it has more than a number of characters.

    The first groups are small, so that the first results come soon; each may be twice as large as the one before, up
    to `LARGEST` characters. A document that is longer is a group of its own. A pause in the stream ends a group.

    Yields:
        A group; an empty list at each pause.
    Raises:
        NerHeadError: of the stream, after the documents before the error.
    """
    group: list[Document] = []
    size, limit = 0, SMALLEST
    try:
        for document in documents:
            more = 0 if isinstance(document, Pause) else len(document.text)
            if group and (isinstance(document, Pause) or size + more > limit):
                yield group
                group, size, limit = [], 0, min(2 * limit, LARGEST)
            if isinstance(document, Pause):
                yield []
            else:
                group.append(document)
                size += more
    except NerHeadError:
        if group:
            yield group
        raise
    if group:
        yield group


def parts(pieces: Sequence[Sequence[S]], *, whole_documents: bool) -> Iterator[list[Sequence[S]]]:
    """Cut the sentences of documents into parts of about `PART_PIECES` word pieces, in order.

    Args:
        pieces: word pieces of the sentences of each document.
        whole_documents: whether to cut between documents only.
    """
    part, size = list[Sequence[S]](), 0
    for document in pieces:
        for sentences in [document] if whole_documents else ([sentence] for sentence in document):
            more = sum(map(len, sentences))
            if part and size + more > PART_PIECES:
                yield part
                part, size = [], 0
            part.append(sentences)
            size += more
    if part:
        yield part
