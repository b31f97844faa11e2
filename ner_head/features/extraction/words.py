"""The words of documents as a tokenizer gets them. Imports neither torch nor h5py."""

from __future__ import annotations

from collections.abc import Iterable

from ner_head.corpus.documents import Document, Sentence

Sentences = tuple[tuple[str, ...], ...]
DocumentWords = tuple[Sentences, ...]
"""Documents of sentences of words. A word after white space begins with a space, if the tokenizer marks white space."""


def words_of(documents: Iterable[Document], *, spaces: bool) -> DocumentWords:
    """Words of documents.

    With `spaces`, a word after white space begins with a space. Joined, the words of a sentence then give its text,
    with each run of white space as one space.
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
