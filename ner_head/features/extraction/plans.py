"""Plans of shards: which documents a shard contains, and its key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ner_head.corpus.documents import Document
from ner_head.features.extraction.words import DocumentWords, Sentences, words_of
from ner_head.features.store.shard import VERSION


@dataclass(frozen=True)
class ShardPlan:
    """The documents of a shard, and its key.

    Attributes:
        words: words of the documents.
        names: `Document.key` of each. The last document may continue as the first one of the next shard.
        key: SHA-256, in hex, of the words and the encoder's fingerprint.
    """

    words: DocumentWords
    names: tuple[str, ...]
    key: str


def shard_key(words: DocumentWords, fingerprint: str) -> str:
    """SHA-256 of format version, fingerprint and words. Names of documents and runtime settings do not change it."""
    content = json.dumps([VERSION, fingerprint, words], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class _Run:
    """Sentences of a document that are not separated.

    Attributes:
        name: key of the document.
        words: words of the sentences.
        n_words: number of words.
        end: a random number from the hash of the content; a shard ends after the run if `shard_words` is less.
    """

    name: str
    words: Sentences
    n_words: int
    end: float


def plan_shards(
    documents: Iterable[Document], *, shard_words: int, fingerprint: str, spaces: bool = False
) -> list[ShardPlan]:
    """Group documents, in their order, into shards.

    A hash of the document decides whether a shard ends after it, with probability n_words / `shard_words`. So each
    boundary depends on one document only, and a change of one document changes one or two shards. A document of more
    than `shard_words` words is added sentence by sentence, and may be divided among shards.

    Args:
        documents: documents with sentences.
        shard_words: average number of words in a shard; no shard of several runs has more than twice as many.
        fingerprint: digest of the encoder's fingerprint.
        spaces: whether the tokenizer marks white space before words.
    """
    groups: list[list[_Run]] = [[]]
    for run in (run for document in documents for run in _runs(document, shard_words, spaces)):
        groups[-1].append(run)
        if shard_words < run.end:
            groups.append([])
    return [_plan(part, fingerprint) for group in groups if group for part in _parts(group, 2 * shard_words)]


def _runs(document: Document, shard_words: int, spaces: bool) -> Iterator[_Run]:
    """One run for a document, or one for each sentence if it has more words than a shard; none without sentences."""
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
    """Cut a group into parts of at most `most` words, first where `_Run.end` is largest."""
    if len(group) < 2 or sum(run.n_words for run in group) <= most:
        yield group
        return
    cut = max(range(1, len(group)), key=lambda place: group[place - 1].end)
    yield from _parts(group[:cut], most)
    yield from _parts(group[cut:], most)


def _plan(runs: Sequence[_Run], fingerprint: str) -> ShardPlan:
    names, words = [], []
    for name, members in groupby(runs, key=lambda run: run.name):
        names.append(name)
        words.append(tuple(sentence for run in members for sentence in run.words))
    return ShardPlan(tuple(words), tuple(names), shard_key(tuple(words), fingerprint))
