"""Encoding of words: to the bytes of a shard, or to features in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ner_head.base.files import Buffer
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.words import DocumentWords
from ner_head.features.store.pieces import Pieces
from ner_head.features.store.shard import Features
from ner_head.features.store.shard_writer import shard_parts


def split_words(words: DocumentWords, encoder: Encoder) -> list[list[Pieces]]:
    """Word pieces of the sentences of each document."""
    flat = iter(encoder.word_pieces.split([sentence for document in words for sentence in document]))
    return [[next(flat) for _ in document] for document in words]


@dataclass(frozen=True)
class PieceCounts:
    """Counts of words and of their word pieces.

    Attributes:
        pieces: number of word pieces, [CLS] of each sentence included.
        sentences: number of sentences.
        words: number of words.
        unknown: count of each word with at least one [UNK].
    """

    pieces: int
    sentences: int
    words: int
    unknown: Counter[str]

    def __add__(self, other: PieceCounts) -> PieceCounts:
        return PieceCounts(
            self.pieces + other.pieces,
            self.sentences + other.sentences,
            self.words + other.words,
            self.unknown + other.unknown,
        )

    @property
    def vectors(self) -> int:
        """Number of stored vectors per layer and view: of each piece and of each [SEP]."""
        return self.pieces + self.sentences


def count_pieces(words: DocumentWords, encoder: Encoder) -> PieceCounts:
    """Split words and count their pieces."""
    flat = [sentence for document in words for sentence in document]
    pieces = [found for document in split_words(words, encoder) for found in document]
    unknown = Counter(
        sentence[word].strip()
        for sentence, found in zip(flat, pieces, strict=True)
        for word in np.unique(found.word_of_piece[found.ids == encoder.word_pieces.unk]).tolist()
    )
    return PieceCounts(sum(map(len, pieces)), len(flat), sum(map(len, flat)), unknown)


def encode_shard(words: DocumentWords, encoder: Encoder, *, key: str, batch_pieces: int) -> list[Buffer]:
    """The bytes of a shard, as consecutive parts."""
    with encoder.threads() as threads:
        return start_shard(words, encoder, key=key, batch_pieces=batch_pieces, threads=threads)()


def start_shard(
    words: DocumentWords, encoder: Encoder, *, key: str, batch_pieces: int, threads: ThreadPoolExecutor
) -> Callable[[], list[Buffer]]:
    """Start to compute a shard on some threads.

    Batches are formed within a shard, so that the result depends on the shard alone.

    Returns:
        A function that waits for the computation and returns the bytes of the shard, as consecutive parts.
    """
    documents, mark = split_words(words, encoder), encoder.fingerprint
    ids = [[pieces.ids for pieces in document] for document in documents]
    views = [
        encoder.start(ids, batch_pieces=batch_pieces, view=view, threads=threads) for view in range(1 + mark.spec.views)
    ]
    sentences = [pieces for document in documents for pieces in document]

    def finish() -> list[Buffer]:
        return shard_parts(
            [view.wait().whole for view in views],
            sentences,
            codec=mark.spec.codec,
            key=key,
            fingerprint=mark.digest(),
            first_layer=encoder.layers[0],
        )

    return finish


def encode_pieces(
    pieces: Sequence[Sequence[Pieces]], encoder: Encoder, *, batch_pieces: int, threads: ThreadPoolExecutor
) -> list[Features]:
    """Features of all sentences without a store; they are rounded in the same way as in a store.

    Args:
        pieces: word pieces of the sentences of each document.
        encoder: the encoder.
        batch_pieces: pieces in a pass, padding included.
        threads: of `Encoder.threads`.
    """
    ids = [[p.ids for p in document] for document in pieces]
    found = encoder.start(ids, batch_pieces=batch_pieces, threads=threads).wait()
    decode, first = encoder.fingerprint.spec.codec.decode, encoder.layers[0]
    separators = decode(found.whole.separators)
    flat = [p for document in pieces for p in document]
    return [
        Features(decode(states), p.ids, p.word_of_piece, separator, first)
        for states, p, separator in zip(found.sentences, flat, separators, strict=True)
    ]
