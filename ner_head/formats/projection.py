"""Project mentions without offsets onto a text: every occurrence as whole words, longest first, without overlaps."""

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
    """The result of a projection.

    Attributes:
        spans: spans in characters, sorted. The `text` of each is the form that was found.
        missing: forms that do not occur, in the given order.
        other_case: forms that occur in another letter case only, in the given order, and that gave a span.
    """

    spans: list[Span]
    missing: list[str]
    other_case: list[str]


def project(text: str, labels: Mapping[str, str]) -> Projection:
    """Find every form of `labels` (form -> label) in the text.

    Words are those of the segmentation. They are compared without zero-width characters and soft hyphens. White space
    in a form matches white space of any kind and length, but no blank line. Forms that do not occur as written are
    then searched in the remaining words, ignoring case, because the shared task compares lower-cased forms.
    """
    exact = _NormalizedWords(text, fold=False)
    places = exact.find(labels)
    absent = [form for form in labels if form not in places]
    folded = _NormalizedWords(text, fold=True).find(absent) if absent else {}
    taken = bytearray(len(exact.words))
    spans: list[Span] = []
    for group in (places, folded):
        for form in sorted(group, key=lambda form: (-len(form), form)):
            for first, last in group[form]:
                if not any(taken[first : last + 1]):
                    taken[first : last + 1] = b"\1" * (last + 1 - first)
                    place = exact.words[first].start, exact.words[last].end
                    spans.append(Span(*place, labels[form], text=form))
    missing = [form for form in absent if form not in folded]
    taking = {span.text for span in spans}
    return Projection(sorted(spans), missing, [form for form in folded if form in taking])


class _NormalizedWords:
    """The words of a text, normalised for comparison; lower-cased with `fold`."""

    def __init__(self, text: str, *, fold: bool) -> None:
        self.text, self.fold = text, fold
        pairs = [(key, word) for word in words(text) if (key := _key(word.text, fold=fold))]
        self.words = [word for _, word in pairs]
        self.keys = [key for key, _ in pairs]
        self.at: dict[str, list[int]] = defaultdict(list)
        for position, key in enumerate(self.keys):
            self.at[key].append(position)

    def find(self, forms: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
        """First and last word of every occurrence, also overlapping ones, of each form that occurs."""
        return {form: places for form in forms if (places := self._places(form))}

    def _places(self, form: str) -> list[tuple[int, int]]:
        sought = _NormalizedWords(form, fold=self.fold)
        n_words = len(sought.keys)
        return [
            (first, first + n_words - 1)
            for first in (self.at.get(sought.keys[0], []) if n_words else [])
            if self.keys[first : first + n_words] == sought.keys
            and all(self._gap(first + i) == sought._gap(i) for i in range(1, n_words))
        ]

    def _gap(self, position: int) -> str:
        """The white space before a word: "", a space, or a line break for a blank line."""
        gap = self.text[self.words[position - 1].end : self.words[position].start]
        if _BLANK_LINE.search(gap):
            return "\n"
        return " " if _FORMAT_CHARACTERS.sub("", gap) else ""


def _key(word: str, *, fold: bool) -> str:
    key = unicodedata.normalize("NFC", _FORMAT_CHARACTERS.sub("", word))
    return key.lower() if fold else key
