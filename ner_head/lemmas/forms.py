"""Forms, their words, and the edits that turn a word into its base form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import regex

_BETWEEN = regex.compile(r"(\s+|[-‐-―])")  # white space, and hyphens and dashes


class Edit(NamedTuple):
    """An edit script: cut an ending, and add another one. Both are in lower case."""

    cut: str
    add: str

    def fits(self, word: str) -> bool:
        """Whether a word has the ending, and something before it."""
        return len(word) > len(self.cut) and word.lower().endswith(self.cut)

    def apply(self, word: str) -> str:
        """The edited word. A word in capitals gets an ending in capitals."""
        add = self.add.upper() if len(word) > 1 and word.isupper() else self.add
        return word[: len(word) - len(self.cut)] + add


SAME = Edit("", "")


def edit_between(word: str, lemma: str) -> Edit:
    """The shortest edit that turns a word into its lemma, in lower case."""
    lower, wanted = word.lower(), lemma.lower()
    n = 0
    while n < min(len(lower), len(wanted)) and lower[n] == wanted[n]:
        n += 1
    return Edit(lower[n:], wanted[n:])


def one_line(text: str) -> str:
    """A text with single spaces."""
    return " ".join(text.split())


def split(form: str) -> list[str]:
    """Words at even places, and the spaces and hyphens between them at odd places. Their join is the form."""
    return _BETWEEN.split(form)


def join(parts: Sequence[str], words: Sequence[str]) -> str:
    """A form with other words, for `parts` of `split`."""
    whole = list(parts)
    whole[::2] = words
    return "".join(whole)


def aligned(form: str, lemma: str) -> list[tuple[str, str]]:
    """The words of a form, each with its lemma; none if their numbers differ."""
    words, lemmas = split(form)[::2], split(lemma)[::2]
    return list(zip(words, lemmas, strict=True)) if len(words) == len(lemmas) else []
