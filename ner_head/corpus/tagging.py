"""Convert spans to tags and back. Labels are entity types (PER); tags add the position (B-PER)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import Document, Span, word_spans

PAD, CLS, X, OUTSIDE = "<pad>", "[CLS]", "X", "O"
Scheme = Literal["iob", "iobx"]


@dataclass(frozen=True)
class TagSet:
    """The tags of a head, in the order of its emissions.

    Scheme `iob` has one tag per word: O, B-x, I-x. Scheme `iobx` has one tag per word piece, as in the paper: <pad>,
    [CLS] for the first piece of a sentence, X for all pieces of a word but the first, and the tags of `iob`.
    """

    scheme: Scheme
    labels: tuple[str, ...]

    @classmethod
    def iob(cls, labels: Sequence[str]) -> TagSet:
        """Tags for words: 2 n + 1 tags for n labels."""
        return cls("iob", tuple(labels))

    @classmethod
    def iobx(cls, labels: Sequence[str]) -> TagSet:
        """The paper's tags for word pieces: 2 n + 4 tags for n labels."""
        return cls("iobx", tuple(labels))

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, in the order of their indices."""
        special = (PAD, CLS, X) if self.scheme == "iobx" else ()
        return (*special, OUTSIDE, *(f"{p}-{label}" for label in self.labels for p in "BI"))

    def __len__(self) -> int:
        return len(self.tags)

    def index(self, tag: str) -> int:
        """Index of a tag."""
        return self.tags.index(tag)

    def follows(self, before: str, after: str) -> bool:
        """Whether tag `after` may follow tag `before`."""
        if PAD in (before, after) or after == CLS:
            return False
        if after == X:
            return before != CLS
        if after.startswith("I-"):
            return before == X or before.partition("-")[2] == after[2:]
        return True

    def forbidden(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Illegal (T, T) transitions [from, to], (T,) first tags and (T,) last tags.

        Every I-x may follow X, because X does not carry the label of its word.
        """
        tags = self.tags
        pairs = np.array([[not self.follows(a, b) for b in tags] for a in tags])
        if self.scheme == "iobx":
            first = np.array([tag != CLS for tag in tags])
        else:
            first = np.array([tag.startswith("I-") for tag in tags])
        last = np.array([tag == PAD for tag in tags])
        return pairs, first, last

    def encode(self, n_words: int, spans: Sequence[Span]) -> list[int]:
        """Convert non-overlapping word spans to one tag index per word."""
        tags = [OUTSIDE] * n_words
        for span in spans:
            tags[span.start] = f"B-{span.label}"
            for word in range(span.start + 1, span.end):
                tags[word] = f"I-{span.label}"
        index = {tag: i for i, tag in enumerate(self.tags)}
        return [index[tag] for tag in tags]

    def free(self, annotated: Collection[str] | None) -> list[int]:
        """The tags that a word outside of all gold spans may have beside O: those of labels that are not annotated.

        Args:
            annotated: labels that are annotated; None for all.
        """
        return (
            []
            if annotated is None
            else [i for i, tag in enumerate(self.tags) if tag[1:2] == "-" and tag[2:] not in annotated]
        )

    def encode_pieces(self, word_tags: Sequence[int], word_of_piece: Sequence[int]) -> list[int]:
        """Convert word tags to piece tags: [CLS] for word -1, the word's tag on its first piece, X on the others."""
        cls, inner = self.index(CLS), self.index(X)
        result, previous = [], -2
        for word in word_of_piece:
            result.append(cls if word < 0 else inner if word == previous else word_tags[word])
            previous = word
        return result

    def vote(self, piece_tags: Sequence[int], word_of_piece: Sequence[int], n_words: int) -> list[int]:
        """Convert piece tags to word tags by majority vote.

        The tag of a word is the most frequent tag of its pieces, without X; the first one of a tie; O if all are X.
        """
        outside, skipped = self.index(OUTSIDE), {self.index(t) for t in (PAD, CLS, X)}
        votes: list[Counter[int]] = [Counter() for _ in range(n_words)]
        for tag, word in zip(piece_tags, word_of_piece, strict=True):
            if word >= 0 and tag not in skipped:
                votes[word][tag] += 1
        return [vote.most_common(1)[0][0] if vote else outside for vote in votes]

    def spans(self, word_tags: Sequence[int]) -> list[Span]:
        """Convert word tags to word spans. An I-x that does not continue a span begins one (conlleval's rule)."""
        names = self.tags
        spans: list[Span] = []
        start, label = 0, ""
        for position, tag in enumerate([*(names[i] for i in word_tags), OUTSIDE]):
            prefix, _, kind = tag.partition("-")
            if label and not (prefix == "I" and kind == label):
                spans.append(Span(start, position, label))
                label = ""
            if kind and not label:
                start, label = position, kind
        return spans


def document_word_spans(document: Document) -> Iterator[list[Span]]:
    """The word spans of each sentence of a document, as `word_spans`, in time that grows with the document."""
    starts = [sentence.start for sentence in document.sentences]
    inside: list[list[Span]] = [[] for _ in starts]
    for span in document.spans if starts else ():
        inside[bisect_right(starts, span.start) - 1].append(span)
    return map(word_spans, document.sentences, inside)
