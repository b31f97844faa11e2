"""Mentions without offsets -> spans: whole words, longest first, every occurrence, none overlapping another."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping

import regex

from ner_head.corpus.documents import Span
from ner_head.corpus.segment import words

_FORMAT_CHARACTERS = regex.compile(r"\p{Cf}+")
_BLANK_LINE = regex.compile(r"(?>\r\n|[\n\r])\s*?[\n\r]")


def project(text: str, labels: Mapping[str, str]) -> tuple[list[Span], list[str]]:
    """Find every form of `labels` (form -> label) in the text.

    Words are those of the segmentation, compared without zero-width characters and soft hyphens. White space
    stands for white space of any kind and length, a blank line excepted.

    Returns:
        Character spans, sorted, and the forms found nowhere, in the order given.
    """
    found = _Words(text)
    taken = bytearray(len(found.words))
    spans: list[Span] = []
    missing: dict[str, None] = {}
    for form in sorted(labels, key=lambda form: (-len(form), form)):
        places = found.places(form)
        if not places:
            missing[form] = None
        for first, last in places:
            if not any(taken[first : last + 1]):
                taken[first : last + 1] = b"\1" * (last + 1 - first)
                spans.append(Span(found.words[first].start, found.words[last].end, labels[form]))
    return sorted(spans), [form for form in labels if form in missing]


class _Words:
    """The words of a text as they are compared: normalised, each with whether white space stands before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        pairs = [(key, word) for word in words(text) if (key := _key(word.text))]
        self.words = [word for _, word in pairs]
        self.keys = [key for key, _ in pairs]
        self.at: dict[str, list[int]] = defaultdict(list)
        for position, key in enumerate(self.keys):
            self.at[key].append(position)

    def places(self, form: str) -> list[tuple[int, int]]:
        """First and last word of every occurrence, those overlapping one another included."""
        wanted = _Words(form)
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


def _key(word: str) -> str:
    return unicodedata.normalize("NFC", _FORMAT_CHARACTERS.sub("", word))
