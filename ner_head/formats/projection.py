"""Mentions without offsets -> spans: whole words, longest first, every occurrence, none overlapping another."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import regex

from ner_head.corpus.documents import Span
from ner_head.corpus.segment import words

_FORMAT_CHARACTERS = regex.compile(r"\p{Cf}+")
_BLANK_LINE = regex.compile(r"(?>\r\n|[\n\r])\s*?[\n\r]")


class Projection(NamedTuple):
    """What became of the forms.

    Attributes:
        spans: in characters, sorted.
        missing: forms found nowhere, in the order given.
        other_case: forms found in other letter case alone, likewise, unless other forms have all these words.
    """

    spans: list[Span]
    missing: list[str]
    other_case: list[str]


def project(text: str, labels: Mapping[str, str]) -> Projection:
    """Find every form of `labels` (form -> label) in the text.

    Words are those of the segmentation, compared without zero-width characters and soft hyphens. White space
    stands for white space of any kind and length, a blank line excepted. Forms that are nowhere as written are then
    looked for without regard to case, in the words that are left: the shared task compares forms in small letters.
    """
    exact = _Words(text, fold=False)
    places = exact.find(labels)
    absent = [form for form in labels if form not in places]
    folded = _Words(text, fold=True).find(absent) if absent else {}
    taken = bytearray(len(exact.words))
    spans: list[Span] = []
    taking: set[str] = set()
    for group in (places, folded):
        for form in sorted(group, key=lambda form: (-len(form), form)):
            for first, last in group[form]:
                if not any(taken[first : last + 1]):
                    taken[first : last + 1] = b"\1" * (last + 1 - first)
                    taking.add(form)
                    spans.append(Span(exact.words[first].start, exact.words[last].end, labels[form]))
    missing = [form for form in absent if form not in folded]
    return Projection(sorted(spans), missing, [form for form in folded if form in taking])


class _Words:
    """The words of a text as they are compared: normalised, each with whether white space stands before it.

    With `fold` they are in small letters.
    """

    def __init__(self, text: str, *, fold: bool) -> None:
        self.text, self.fold = text, fold
        pairs = [(key, word) for word in words(text) if (key := _key(word.text, fold=fold))]
        self.words = [word for _, word in pairs]
        self.keys = [key for key, _ in pairs]
        self.at: dict[str, list[int]] = defaultdict(list)
        for position, key in enumerate(self.keys):
            self.at[key].append(position)

    def find(self, forms: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
        """First and last word of every occurrence, those overlapping one another included, of forms that have one."""
        return {form: places for form in forms if (places := self._places(form))}

    def _places(self, form: str) -> list[tuple[int, int]]:
        wanted = _Words(form, fold=self.fold)
        n_words = len(wanted.keys)
        return [
            (first, first + n_words - 1)
            for first in (self.at.get(wanted.keys[0], []) if n_words else [])
            if self.keys[first : first + n_words] == wanted.keys
            and all(self._gap(first + i) == wanted._gap(i) for i in range(1, n_words))
        ]

    def _gap(self, position: int) -> str:
        gap = self.text[self.words[position - 1].end : self.words[position].start]
        if _BLANK_LINE.search(gap):
            return "\n"
        return " " if _FORMAT_CHARACTERS.sub("", gap) else ""


def _key(word: str, *, fold: bool) -> str:
    key = unicodedata.normalize("NFC", _FORMAT_CHARACTERS.sub("", word))
    return key.lower() if fold else key
