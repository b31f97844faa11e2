"""Words through the encoder: into a shard's bytes, or straight into features."""

from __future__ import annotations

from collections.abc import Iterable

from ner_head.corpus.documents import Document
from ner_head.features.codes import decode
from ner_head.features.encoder import Encoder
from ner_head.features.plans import Words, words_of
from ner_head.features.shard import Features, shard_bytes
from ner_head.features.wordpieces import Pieces


def split_words(words: Words, encoder: Encoder) -> list[list[Pieces]]:
    """Word pieces of documents of sentences of words."""
    flat = iter(encoder.word_pieces.split([sentence for document in words for sentence in document]))
    return [[next(flat) for _ in document] for document in words]


def count_pieces(words: Words, encoder: Encoder) -> int:
    """Pieces of all sentences, [CLS] included."""
    return sum(len(pieces) for document in split_words(words, encoder) for pieces in document)


def encode_shard(words: Words, encoder: Encoder, *, key: str, batch_pieces: int) -> bytes:
    """The bytes of a shard. Batches are formed inside of it, so they depend on nothing else."""
    documents = split_words(words, encoder)
    ids = [[pieces.ids for pieces in document] for document in documents]
    mark = encoder.fingerprint
    views = [encoder.encode(ids, batch_pieces=batch_pieces, view=view) for view in range(1 + mark.views)]
    sentences = [pieces for document in documents for pieces in document]
    return shard_bytes(views, sentences, code=mark.dtype, key=key, fingerprint=mark.digest())


def encode_documents(documents: Iterable[Document], encoder: Encoder, *, batch_pieces: int) -> list[Features]:
    """Features of all sentences of texts that are not worth caching (prediction), rounded just as cached ones."""
    pieces = split_words(words_of(documents), encoder)
    states = encoder.encode([[p.ids for p in document] for document in pieces], batch_pieces=batch_pieces)
    flat = [p for document in pieces for p in document]
    code = encoder.fingerprint.dtype
    return [Features(decode(s, code), p.ids, p.word_of_piece) for s, p in zip(states, flat, strict=True)]
