"""What the readers of corpora share: what they are asked for, and what they hand back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ner_head.corpus.documents import Document
from ner_head.corpus.languages import tidy

DOCUMENT_WORDS = 300  # the length of a short article
Kind = Literal[
    "no annotations",  # the document has no gold at all, which is not the same as no entities
    "row ignored",  # an annotation that the task's rules say to skip
    "blank word",  # a row of CoNLL whose word is white space; left out
    "not found",  # a mention whose form is nowhere in the text as whole words
    "found in other case",  # a mention whose form is in the text in capitals or small letters alone
    "two categories",  # a form with more than one; the first is taken
    "surface differs",  # offsets that cover other characters than the annotation says; left out
    "tag out of place",  # a tag that its scheme does not allow there; read by conlleval's rule
    "cut by a sentence boundary",  # kept in `Document.spans`, lost in tags
    "widened to whole words",  # exact in `Document.spans`, wider in tags
    "overlaps a longer span",  # kept in `Document.spans`, lost in tags
    "white space trimmed",  # at the ends of a span
    "label cleaned",  # of white space, or of invisible characters
    "long sentence cut",  # one of more words than `prepare.max_words`
]
LOST: tuple[Kind, ...] = (
    "row ignored",
    "not found",
    "surface differs",
    "cut by a sentence boundary",
    "overlaps a longer span",
)
"""Problems of mentions that no tag expresses."""
CHANGED: tuple[Kind, ...] = ("widened to whole words", "white space trimmed", "label cleaned")
"""Problems of mentions that are kept, and not as they were annotated."""
RowKind = Literal[
    "kept",  # a word, an annotation or a record that is part of a document
    "ignored",  # holds an annotation or a record, and each one has its Problem
    "left out",  # a record that is not wanted; `Tally.left_out` says why
    "mark",  # the start of a document, an id, a header
    "comment",
    "no word",  # CoNLL-U: the range of a multiword token, or an empty node
    "blank",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the annotations that could not be taken as it stands; `document` is a key."""

    document: str
    kind: Kind
    form: str = ""
    detail: str = ""


@cache
def _topics(names: frozenset[str]) -> frozenset[str]:
    """All topics that these names may mean: each name, and what stands before a slash in it."""
    return names | {name[:end] for name in names for end, letter in enumerate(name) if letter == "/"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a corpus. Readers need not open a file that holds nothing of it."""

    languages: tuple[str, ...] = ()
    """ISO 639 codes as `languages.tidy` writes them; none means all that there are."""
    names: frozenset[str] | None = None
    """Topics, and keys of single documents (`topic/language/id`); None means all that there are."""
    word_column: int = 0
    """conll: column of the words, from 1; 0 means that the reader finds it."""
    tag_column: int = 0
    """conll: column of the tags, likewise."""
    glue: bool = True
    """Whether words that come without a text are joined as one writes them; else with a space everywhere."""
    document_words: int = DOCUMENT_WORDS
    """A file in which nothing marks documents is cut into some of so many words."""

    def has_language(self, language: str) -> bool:
        """Whether documents of this language are wanted."""
        return not self.languages or tidy(language) in self.languages

    def has_topic(self, topic: str) -> bool:
        """Whether the topic is wanted, or a document of it."""
        return self.names is None or topic in _topics(self.names)


@dataclass(slots=True)
class Tally:
    """What a reader did with the files of a corpus; it fills this in while it reads.

    `rows` adds up to the rows of all tables that were read: lines of CoNLL files, of JSONL files, of files of
    annotations.
    """

    files: list[Path] = field(default_factory=list)
    """Those read."""
    passed_over: dict[Path, str] = field(default_factory=dict)
    """Those not read, and why."""
    rows: Counter[RowKind] = field(default_factory=Counter)
    topics: set[str] = field(default_factory=set)
    """All that there are, those of files passed over included."""
    languages: set[str] = field(default_factory=set)
    """Likewise."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Records that were read and are no documents, by the reason."""
    mentions_left_out: Counter[str] = field(default_factory=Counter)
    """Their mentions, by the same reasons."""
    annotations: dict[str, int] = field(default_factory=dict)
    """By a document's key, how many there were, where one may give several spans or none."""
    notices: list[str] = field(default_factory=list)
    """Lines that a user should see: what was guessed, and what is unusual."""

    def lines(self) -> list[str]:
        """The notices, then what was passed over: a line for each reason."""
        reasons: dict[str, list[Path]] = {}
        for path, why in self.passed_over.items():
            reasons.setdefault(why, []).append(path)
        return [
            *self.notices,
            *(f"left out ({why}): {count:,} records" for why, count in self.left_out.items()),
            *(
                f"passed over ({why}): {', '.join(map(str, paths[:3]))}"
                + (f" and {len(paths) - 3:,} more" if len(paths) > 3 else "")
                for why, paths in reasons.items()
            ),
        ]

    def report(self) -> dict[str, Any]:
        """As `reports/prepare.json` shows it."""
        return {
            "files": len(self.files),
            "passed over": {str(path): why for path, why in self.passed_over.items()},
            "rows": {kind: self.rows[kind] for kind in get_args(RowKind)},
            "notices": self.notices,
        }


Reading: TypeAlias = tuple[Document, tuple[Problem, ...]]
Reader: TypeAlias = Callable[[Path, Wanted, Tally], Iterator[Reading]]
"""(source, wanted, tally) -> documents, one after the other; the tally is complete when all are read."""
