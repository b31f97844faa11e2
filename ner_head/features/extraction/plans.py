"""What to compute: documents in shards, each named by everything that decides its bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ner_head.corpus.documents import Document, Sentence
from ner_head.features.store.shard import VERSION

Sentences = tuple[tuple[str, ...], ...]
Words = tuple[Sentences, ...]
"""Documents of sentences of words; one that stands behind white space begins with a space, where encoders see it."""


@dataclass(frozen=True)
class ShardPlan:
    """Documents that go into one shard, and the key that their words and the encoder give it.

    Attributes:
        words: of every document and sentence.
        names: `Document.key` of each. The last may go on in the next shard, where it is the first.
        key: SHA-256 in hex.
    """

    words: Words
    names: tuple[str, ...]
    key: str


def shard_key(words: Words, fingerprint: str) -> str:
    """SHA-256 of format version, fingerprint and words; not of names, nor of how it is computed."""
    content = json.dumps([VERSION, fingerprint, words], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class _Run:
    """Sentences of a document that stay together.

    Attributes:
        name: the document's key.
        words: of the sentences.
        n_words: how many.
        end: shards of fewer words end behind it, as the content's hash says.
    """

    name: str
    words: Sentences
    n_words: int
    end: float


def plan_shards(
    documents: Iterable[Document], *, shard_words: int, fingerprint: str, spaces: bool = False
) -> list[ShardPlan]:
    """Group documents, in their order, into shards of about `shard_words` words, and of twice as many at most.

    A shard ends behind a document whose hash says so, with a chance of its words / `shard_words`. Boundaries
    depend on single documents only, so a change of one document changes one or two shards. A document that is longer
    than `shard_words` goes in sentence by sentence, so that it may begin in one shard and end in another. `spaces`
    says whether the encoder sees which words stand behind white space.
    """
    groups: list[list[_Run]] = [[]]
    for run in (run for document in documents for run in _runs(document, shard_words, spaces)):
        groups[-1].append(run)
        if shard_words < run.end:
            groups.append([])
    return [_plan(part, fingerprint) for group in groups if group for part in _parts(group, 2 * shard_words)]


def _runs(document: Document, shard_words: int, spaces: bool) -> Iterator[_Run]:
    """A document that has sentences, or each of them if it is longer than a shard."""
    (sentences,) = words_of([document], spaces=spaces)
    if sum(map(len, sentences)) > shard_words:
        yield from (_run(document.key, (sentence,), "\n".join((document.key, *sentence))) for sentence in sentences)
    elif sentences:
        yield _run(document.key, sentences, document.key)


def _run(name: str, sentences: Sentences, content: str) -> _Run:
    n_words = sum(map(len, sentences))
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
    draw = (int.from_bytes(digest[:8], "big") + 1) / 2**64
    return _Run(name, sentences, n_words, n_words / draw)


def _parts(group: list[_Run], most: int) -> Iterator[list[_Run]]:
    """A group in parts of at most so many words, cut where smaller shards would end first."""
    if len(group) < 2 or sum(run.n_words for run in group) <= most:
        yield group
        return
    cut = max(range(1, len(group)), key=lambda place: group[place - 1].end)
    yield from _parts(group[:cut], most)
    yield from _parts(group[cut:], most)


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


def _plan(runs: Sequence[_Run], fingerprint: str) -> ShardPlan:
    names, words = [], []
    for name, members in groupby(runs, key=lambda run: run.name):
        names.append(name)
        words.append(tuple(sentence for run in members for sentence in run.words))
    return ShardPlan(tuple(words), tuple(names), shard_key(tuple(words), fingerprint))
