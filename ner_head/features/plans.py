"""What to compute: documents in shards, each named by everything that decides its bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ner_head.corpus.documents import Document, Sentence
from ner_head.features.shard import VERSION

Words = tuple[tuple[tuple[str, ...], ...], ...]
"""Documents of sentences of words; one that stands behind white space begins with a space, where encoders see it."""


@dataclass(frozen=True)
class ShardPlan:
    """Whole documents that go into one shard, and the key that their words and the encoder give it.

    Attributes:
        words: of every document and sentence.
        names: `Document.key` of each.
        key: SHA-256 in hex.
    """

    words: Words
    names: tuple[str, ...]
    key: str


def shard_key(words: Words, fingerprint: str) -> str:
    """SHA-256 of format version, fingerprint and words; not of names, nor of how it is computed."""
    content = json.dumps([VERSION, fingerprint, words], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def plan_shards(
    documents: Iterable[Document], *, shard_words: int, fingerprint: str, spaces: bool = False
) -> list[ShardPlan]:
    """Group documents, in their order, into shards of about `shard_words` words.

    A shard ends behind a document whose hash says so, with a chance of its words / `shard_words`. Boundaries
    depend on single documents only, so a change of one document changes one or two shards. `spaces` says whether
    the encoder sees which words stand behind white space.
    """
    plans, group = [], list[Document]()
    for document in documents:
        if not document.sentences:
            continue
        group.append(document)
        words = sum(len(sentence.words) for sentence in document.sentences)
        draw = int.from_bytes(hashlib.sha256(document.key.encode()).digest()[:8], "big") / 2**64
        if draw < words / shard_words:
            plans.append(_plan(group, fingerprint, spaces))
            group = []
    return [*plans, _plan(group, fingerprint, spaces)] if group else plans


def words_of(documents: Iterable[Document], *, spaces: bool) -> Words:
    """Their words, without anything else.

    With `spaces`, a word behind white space begins with a space: joined, the words of a sentence are its text with
    every run of white space as one space.
    """
    return tuple(tuple(_words(sentence, spaces) for sentence in document.sentences) for document in documents)


def _words(sentence: Sentence, spaces: bool) -> tuple[str, ...]:
    if not spaces:
        return tuple(word.text for word in sentence.words)
    end = sentence.start
    words = []
    for word in sentence.words:
        words.append(f" {word.text}" if word.start > end else word.text)
        end = word.end
    return tuple(words)


def _plan(documents: Sequence[Document], fingerprint: str, spaces: bool) -> ShardPlan:
    words = words_of(documents, spaces=spaces)
    return ShardPlan(words, tuple(d.key for d in documents), shard_key(words, fingerprint))
