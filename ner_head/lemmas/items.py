"""The words of mentions as the head reads them: hashed features, possible edits and evidence. Imports no torch."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import Document
from ner_head.features.store.mentions import WordVectors
from ner_head.lemmas.forms import SAME, Edit, one_line, split

N_EVIDENCE = 7  # features of a possible edit
MOST = 50  # counts above this are as good as this
AFFIX = 6  # characters of the longest ending that is a feature


WordForm = tuple[str, str, tuple[str, ...], int]
"""Language, label, the words of a mention in lower case, and which of them."""


def word_form(language: str, label: str, words: Sequence[str], position: int) -> WordForm:
    """What two equal words of equal mentions have in common."""
    return language, label, tuple(map(str.lower, words)), position


@dataclass(frozen=True, slots=True)
class MentionWord:
    """A word of a mention, between hyphens and white space.

    Attributes:
        document: Number of the document.
        span: Number of the span in it.
        words: All words of the mention.
        position: Which of them this is.
        language: Language of the document.
        label: Label of the span.
        vector: (layers, D), of the word of the segmentation that it is in.
    """

    document: int
    span: int
    words: tuple[str, ...]
    position: int
    language: str
    label: str
    vector: NDArray[np.float16]

    @property
    def word(self) -> str:
        """The word."""
        return self.words[self.position]

    @property
    def form(self) -> WordForm:
        """What two equal words of equal mentions have in common."""
        return word_form(self.language, self.label, self.words, self.position)


def mention_words(documents: Sequence[Document], vectors: Sequence[Sequence[WordVectors]]) -> list[MentionWord]:
    """The words of all spans of documents."""
    found = []
    for number, (document, of_spans) in enumerate(zip(documents, vectors, strict=True)):
        for index, (span, rows) in enumerate(zip(document.spans, of_spans, strict=True)):
            words = tuple(split(one_line(document.text[span.start : span.end]))[::2])
            places = _rows(words, document.text[span.start : span.end], document, span.start, len(rows))
            found += [
                MentionWord(number, index, words, position, document.language, span.label, rows[row])
                for position, (word, row) in enumerate(zip(words, places, strict=True))
                if word
            ]
    return found


def _rows(words: Sequence[str], text: str, document: Document, start: int, n_rows: int) -> list[int]:
    """The row of the vectors that belongs to each word: that of the word of the segmentation that it begins in."""
    edges = [word.end for s in document.sentences if s.end > start for word in s.words if word.end > start][:n_rows]
    rows, at = [], 0
    for word in words:
        at = max(text.find(word, at), at)
        rows.append(min(int(np.searchsorted(edges, start + at, side="right")), n_rows - 1))
        at += len(word)
    return rows


def hashed(item: MentionWord, buckets: int) -> list[int]:
    """The hashed features of a word: endings with language and label, neighbours in the mention, place, case."""
    word, language, label = item.word.lower(), item.language, item.label
    before = item.words[item.position - 1].lower() if item.position else ""
    after = item.words[item.position + 1].lower() if item.position + 1 < len(item.words) else ""
    n_after = len(item.words) - item.position - 1
    names: list[tuple[object, ...]] = [
        ("word", language, word),
        ("label", language, label),
        ("place", language, label, item.position, len(item.words)),
        ("from the end", language, label, n_after),
        ("both", language, before[-2:], word[-2:]),
        ("both after", language, after[-2:], word[-2:]),
        ("case", language, item.word.isupper(), item.word[:1].isupper()),
    ]
    for n in range(1, min(AFFIX, len(word)) + 1):
        names += [("ending", language, word[-n:]), ("ending", language, label, word[-n:])]
    for n in (1, 2, 3):
        names += [("before", language, before[-n:], n), ("after", language, after[-n:], n)]
    return [crc32("\x1f".join(map(str, name)).encode()) % buckets for name in names]


@dataclass
class Evidence:
    """How often words are in texts: a base form is often there too. Lower-cased, by language, and by document."""

    by_language: Mapping[str, Counter[str]]
    by_document: Sequence[Counter[str]]

    @classmethod
    def of(cls, documents: Sequence[Document], *, together: bool = True) -> Evidence:
        """Count the words of documents.

        Args:
            documents: The documents.
            together: Whether the words of all documents of a language count, or those of the same document only.
        """
        return cls(words_by_language(documents) if together else {}, [Counter(_words(each)) for each in documents])

    def of_edits(self, item: MentionWord, edits: Sequence[Edit]) -> NDArray[np.float32]:
        """The evidence for each edit of a word, (edits, N_EVIDENCE)."""
        near = self.by_document[item.document]
        wide = self.by_language.get(item.language, near)
        rows = np.zeros((len(edits), N_EVIDENCE), dtype=np.float32)
        own = math.log1p(min(wide[item.word.lower()], MOST))
        for row, edit in zip(rows, edits, strict=True):
            word = edit.apply(item.word).lower()
            count = math.log1p(min(wide[word], MOST))
            if edit == SAME:
                row[:4] = 0, 0, near[word] > 1, count
            elif wide[word]:
                row[:2] = near[word] > 0, count
                row[4:] = 1, count - own, near[word] > near[item.word.lower()]
        return rows


def words_by_language(documents: Iterable[Document]) -> dict[str, Counter[str]]:
    """How often each word is in the documents of a language."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        found[document.language].update(_words(document))
    return found


def _words(document: Document) -> list[str]:
    """The words of a text in lower case; of a word with hyphens, its parts too."""
    words = [word.text.lower() for sentence in document.sentences for word in sentence.words]
    return words + [part for word in words if len(word) > 1 and "-" in word for part in word.split("-")]


@dataclass(frozen=True)
class EditTable:
    """The edits that the head chooses from, and the languages of each.

    Attributes:
        edits: S edits, `SAME` first.
        languages: The languages whose words each was seen with.
    """

    edits: tuple[Edit, ...]
    languages: tuple[frozenset[str], ...]
    _by_cut: dict[tuple[str, str], list[int]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for number, (edit, languages) in enumerate(zip(self.edits, self.languages, strict=True)):
            for language in languages:
                self._by_cut.setdefault((language, edit.cut), []).append(number)

    @classmethod
    def learn(cls, pairs: Iterable[tuple[str, str, Edit]], least: int = 2) -> EditTable:
        """The edits of at least so many different words.

        Args:
            pairs: Language, word and edit.
            least: Number of words.
        """
        words: dict[Edit, set[tuple[str, str]]] = defaultdict(set)
        everything = set()
        for language, word, edit in pairs:
            words[edit].add((language, word.lower()))
            everything.add(language)
        kept = sorted(edit for edit, seen in words.items() if len(seen) >= least and edit != SAME)
        languages = [frozenset(language for language, _ in words[edit]) for edit in kept]
        return cls((SAME, *kept), (frozenset(everything), *languages))

    def possible(self, language: str, word: str) -> list[int]:
        """The numbers of the edits that a word of a language can have; `SAME` is among them."""
        lower, found = word.lower(), list[int]()
        for n in range(len(lower)):
            found += self._by_cut.get((language, lower[len(lower) - n :]), [])
        return found or [0]
