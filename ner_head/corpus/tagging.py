"""Spans <-> tags. Labels are entity types (PER); tags add the position (B-PER)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import Span

PAD, CLS, X, OUTSIDE = "<pad>", "[CLS]", "X", "O"
Scheme = Literal["iob", "iobx"]


@dataclass(frozen=True)
class TagSet:
    """The tags of a head, in the order of its emissions.

    `iob` has one tag per word (O, B-x, I-x). `iobx` has one per WordPiece, as the paper: <pad>, [CLS] for the
    first piece of a sentence, X for every piece of a word but its first, and those of `iob`.
    """

    scheme: Scheme
    labels: tuple[str, ...]

    @classmethod
    def iob(cls, labels: Sequence[str]) -> TagSet:
        """Tags over words: 2 T + 1 of them."""
        return cls("iob", tuple(labels))

    @classmethod
    def iobx(cls, labels: Sequence[str]) -> TagSet:
        """The paper's tags over pieces: 14 for 5 labels."""
        return cls("iobx", tuple(labels))

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, by index."""
        special = (PAD, CLS, X) if self.scheme == "iobx" else ()
        return (*special, OUTSIDE, *(f"{p}-{label}" for label in self.labels for p in "BI"))

    def __len__(self) -> int:
        return len(self.tags)

    def index(self, tag: str) -> int:
        """Position of a tag in `tags`."""
        return self.tags.index(tag)

    def follows(self, before: str, after: str) -> bool:
        """Whether `after` may stand directly behind `before`."""
        if PAD in (before, after) or after == CLS:
            return False
        if after == X:
            return before != CLS
        if after.startswith("I-"):
            return before == X or before.partition("-")[2] == after[2:]
        return True

    def forbidden(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Illegal (T, T) transitions [from, to], (T,) first tags and (T,) last tags.

        A single X does not remember its word's type: after X every I-x is legal.
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
        """One tag index per word for non-overlapping word spans."""
        tags = [OUTSIDE] * n_words
        for span in spans:
            tags[span.start] = f"B-{span.label}"
            for word in range(span.start + 1, span.end):
                tags[word] = f"I-{span.label}"
        index = {tag: i for i, tag in enumerate(self.tags)}
        return [index[tag] for tag in tags]

    def encode_pieces(self, word_tags: Sequence[int], word_of_piece: Sequence[int]) -> list[int]:
        """Word tags spread over pieces: [CLS] for -1, the word's tag on its first piece, X on the rest."""
        cls, inner = self.index(CLS), self.index(X)
        result, previous = [], -2
        for word in word_of_piece:
            result.append(cls if word < 0 else inner if word == previous else word_tags[word])
            previous = word
        return result

    def vote(self, piece_tags: Sequence[int], word_of_piece: Sequence[int], n_words: int) -> list[int]:
        """The most frequent tag among a word's pieces, X left out; the first of equals; O if all are X."""
        outside, skipped = self.index(OUTSIDE), {self.index(t) for t in (PAD, CLS, X)}
        votes: list[Counter[int]] = [Counter() for _ in range(n_words)]
        for tag, word in zip(piece_tags, word_of_piece, strict=True):
            if word >= 0 and tag not in skipped:
                votes[word][tag] += 1
        return [vote.most_common(1)[0][0] if vote else outside for vote in votes]

    def spans(self, word_tags: Sequence[int]) -> list[Span]:
        """Word spans of a tag sequence. An I-x that continues nothing opens a span (conlleval's rule)."""
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
