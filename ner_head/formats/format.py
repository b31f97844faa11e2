"""What a corpus format is: a name and a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ner_head.corpus.documents import Document
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem


class SourceDocument(NamedTuple):
    """A document as its source gives it, and the problems of its annotations."""

    document: Document
    problems: tuple[Problem, ...] = ()


Reader: TypeAlias = Callable[[Path, ReaderOptions, ReaderLog], Iterator[SourceDocument]]
"""(source, options, log) -> documents. The log is complete when the iterator is exhausted."""


@dataclass(frozen=True, slots=True)
class Format:
    """A corpus format, defined in the module of its reader.

    Attributes:
        name: value of `prepare.format`.
        read: the reader.
        has_columns: whether `prepare.columns` applies.
        requires_languages: whether each language of `prepare.languages` must occur in the corpus.
    """

    name: str
    read: Reader
    has_columns: bool = False
    requires_languages: bool = True
