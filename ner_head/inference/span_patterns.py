"""Word spans as patterns over the tags of a head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import CLS, PAD, TagSet, X
from ner_head.features.store.pieces import pad_rows
from ner_head.head.crf import SpanPattern
from ner_head.head.crf.rules import Rules

NO_WORD = -1  # [CLS] and padding


class SpanPatterns:
    """Makes the patterns of word spans.

    Args:
        tag_set: tags of the head.
        rules: rules of its CRF. Patterns that break them are not made. Without rules, every tag can follow every other.
    """

    def __init__(self, tag_set: TagSet, rules: Rules | None = None) -> None:
        self.over_pieces = tag_set.scheme == "iobx"
        names = tag_set.tags
        self._begin = {label: self._tags(names, f"B-{label}") for label in tag_set.labels}
        self._inside = {label: self._tags(names, f"I-{label}") for label in tag_set.labels}
        self._among = {label: self._begin[label] | self._inside[label] for label in tag_set.labels}
        pairs = rules.pairs if rules is not None else np.zeros((len(names), len(names)), dtype=bool)
        self._before_inside = {
            label: torch.from_numpy(~pairs[:, tag_set.index(f"I-{label}")]) for label in tag_set.labels
        }
        self._x = self._tags(names, X)
        self._outer = self._tags(names, PAD, X, CLS)

    @staticmethod
    def _tags(names: Sequence[str], *chosen: str) -> Tensor:
        return torch.tensor([name in chosen for name in names])

    def of(self, span: Span, sentence: int, word_of_piece: NDArray[np.int32]) -> list[SpanPattern]:
        """The patterns of a span in words. They exclude each other.

        A span of label x is B-x, or an I-x that continues no span, then I-x, and no I-x after it (`TagSet.spans`). So
        it begins with B-x, or with I-x at the start of the sentence or after a word that is neither B-x nor I-x. Over
        words, the rules of the CRF leave B-x only. Over pieces, any I-x can follow an X. With `decoder: softmax`, any
        tag can follow any other.

        Args:
            span: in words.
            sentence: its row in the batch.
            word_of_piece: (P,), the word of each piece; -1 for [CLS].
        """
        inside, among = self._inside[span.label], self._among[span.label]
        first, sizes = self._layout(word_of_piece)

        def rows(word: int, tags: Tensor) -> list[Tensor]:
            return [tags, *[self._x] * (int(sizes[word]) - 1)]

        rest = [row for word in range(span.start + 1, span.end) for row in rows(word, inside)]
        begin = self._begin[span.label] if span.start else among
        begun = torch.stack([*rows(span.start, begin), *rest])
        found = [SpanPattern(sentence, int(first[span.start]), begun, inside)]
        if span.start:
            before = rows(span.start - 1, ~among)
            before[-1] = before[-1] & self._before_inside[span.label]
            if before[-1].any():
                joined = torch.stack([*before, *rows(span.start, inside), *rest])
                found.append(SpanPattern(sentence, int(first[span.start - 1]), joined, inside))
        return found

    def _layout(self, word_of_piece: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first step and the number of steps of each word, (W,)."""
        if not self.over_pieces:
            n_words = int(word_of_piece[-1]) + 1
            return np.arange(n_words), np.ones(n_words, dtype=np.int64)
        first, sizes = np.unique(word_of_piece, return_index=True, return_counts=True)[1:]
        return first[1:], sizes[1:]  # without [CLS]

    def well_formed(self, emissions: Tensor, words_of_pieces: Sequence[NDArray[np.int32]]) -> Tensor:
        """Emissions, (B, S, T), with -inf for tags that a piece cannot have.

        Over pieces, the first piece of a word cannot have X, and its other pieces can have nothing else. The
        probability of a span is then that among well-formed paths. Over words, nothing changes.
        """
        if not self.over_pieces:
            return emissions
        words, _ = pad_rows(words_of_pieces, fill=NO_WORD)
        inner = torch.from_numpy(np.diff(words, axis=1, prepend=NO_WORD) == 0)
        wrong = torch.where(inner[:, :, None], ~self._x, self._outer)
        wrong &= torch.from_numpy(words != NO_WORD)[:, :, None]
        return emissions.masked_fill(wrong.to(emissions.device), -torch.inf)
