"""Problems of annotations: mentions that a reader or `prepare` has to drop or change, and other oddities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ProblemKind = Literal[
    "no annotations",  # the document has no gold at all, which differs from having no entities
    "row ignored",  # an annotation that the shared task's rules skip
    "blank word",  # a CoNLL row whose word is white space; dropped
    "not found",  # a mention whose form does not occur in the text as whole words
    "found in other case",  # a mention whose form occurs in the text in another letter case only
    "two categories",  # a form with several categories; the first is used
    "surface differs",  # offsets that cover other characters than the annotation says; dropped
    "tag out of place",  # a tag that its scheme does not allow here; read by conlleval's rule
    "cut by a sentence boundary",  # kept in `Document.spans`, lost in tags
    "widened to whole words",  # exact in `Document.spans`, wider in tags
    "overlaps a longer span",  # kept in `Document.spans`, lost in tags
    "white space trimmed",  # at the ends of a span
    "label cleaned",  # of white space or invisible characters
    "long sentence cut",  # a sentence of more than `prepare.max_words` words
]
LOST: tuple[ProblemKind, ...] = (
    "row ignored",
    "not found",
    "surface differs",
    "cut by a sentence boundary",
    "overlaps a longer span",
)
"""Kinds of problems that lose a mention: no tag expresses it."""
CHANGED: tuple[ProblemKind, ...] = ("widened to whole words", "white space trimmed", "label cleaned")
"""Kinds of problems that change a mention and keep it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of one document.

    Attributes:
        document: key of the document.
        kind: kind of the problem.
        form: text of the mention or word, if the problem concerns one.
        detail: file, line or offsets.
    """

    document: str
    kind: ProblemKind
    form: str = ""
    detail: str = ""


ProblemParts: TypeAlias = tuple[ProblemKind, str, str]
"""Kind, form and detail of a problem in a document whose key is not known yet."""
