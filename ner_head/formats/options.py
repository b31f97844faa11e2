"""Options of the corpus readers: what to read, and how."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from ner_head.corpus.languages import tidy

DOCUMENT_WORDS = 300  # the length of a short article


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """What to read of a corpus, and how. A reader may skip files that the options exclude."""

    languages: tuple[str, ...] = ()
    """Language codes as `languages.tidy` writes them; empty for all languages."""
    names: frozenset[str] | None = None
    """Topics, keys of single documents (`topic/language/id`), and patterns of either; None for all documents."""
    word_column: int = 0
    """Column of the words in CoNLL files, counted from 1; 0 to detect it."""
    tag_column: int = 0
    """Column of the tags in CoNLL files, counted from 1; 0 to detect it."""
    glue: bool = True
    """Whether words without a text are joined by the spacing rules of the language, else by single spaces."""
    document_words: int = DOCUMENT_WORDS
    """Number of words per document when a CoNLL file without document marks is split, approximately."""
    file_topics: bool = True
    """Whether the topic of a JSONL record without one is the stem of its file, else empty."""

    def includes_language(self, language: str) -> bool:
        """Whether documents of this language are to be read."""
        return not self.languages or tidy(language) in self.languages

    def includes_topic(self, topic: str) -> bool:
        """Whether the topic, or a single document of it, is to be read."""
        if self.names is None or self.names_topic(topic):
            return True
        return any(fnmatchcase(topic, name) for name in _topics(self.names) if is_pattern(name))

    def names_topic(self, topic: str) -> bool:
        """Whether the topic, or a single document of it, is named other than by a pattern."""
        return self.names is not None and topic in _topics(self.names)


def is_pattern(name: str) -> bool:
    """Whether a name stands for several, with `*`, `?` or `[...]`."""
    return any(letter in name for letter in "*?[")


@cache
def _topics(names: frozenset[str]) -> frozenset[str]:
    """All topics that these names may mean: each name, and each part of it before a slash."""
    return names | {name[:end] for name in names for end, letter in enumerate(name) if letter == "/"}
