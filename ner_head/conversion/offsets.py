"""Offsets in the units that tools count: UTF-16 code units, and grapheme clusters. Ours count code points.

UTF-16 counts a character beyond U+FFFF, such as most emoji, as two. It is what strings of Java and JavaScript count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate

import regex

_CLUSTER = regex.compile(r"\X")


class Units:
    """Places in a text in other units than code points.

    Args:
        starts: place of each code point, and of the end, in these units; increasing, equal where a code point is not
            the first of its unit.
    """

    def __init__(self, starts: Sequence[int]) -> None:
        self.starts = starts

    def of(self, character: int) -> int:
        """The place of a code point."""
        return self.starts[character]

    def to_character(self, place: int) -> int:
        """The first code point at a place.

        Raises:
            ValueError: the place is outside of the text, or inside of a code point.
        """
        found = bisect_left(self.starts, place)
        if found == len(self.starts) or self.starts[found] != place:
            raise ValueError(f"offset {place} is outside of the text, or inside of a character")
        return found


def characters(text: str) -> Units:
    """Places of code points."""
    return Units(range(len(text) + 1))


def utf16(text: str) -> Units:
    """Places of UTF-16 code units."""
    if text.isascii() or max(text) < "\U00010000":
        return characters(text)
    return Units([0, *accumulate(1 + (letter > "\uffff") for letter in text)])


def graphemes(text: str) -> Units:
    """Places of grapheme clusters (Unicode Standard Annex 29)."""
    starts = [number for number, found in enumerate(_CLUSTER.finditer(text)) for _ in found[0]]
    return Units([*starts, starts[-1] + 1 if starts else 0])


def without_cr(text: str) -> Units:
    """Places if the CR of CR LF is not counted, as in texts whose line ends were normalised."""
    dropped = (letter == "\r" and text[at + 1 : at + 2] == "\n" for at, letter in enumerate(text))
    return Units([0, *accumulate(not drop for drop in dropped)])


COUNTS: dict[str, Callable[[str], Units]] = {
    "characters": characters,
    "utf-16": utf16,
    "graphemes": graphemes,
    "characters without the CR of CR LF": without_cr,
}
"""Ways to count, by name."""


def find_count(text: str, mentions: Sequence[tuple[int, int, str]], among: Sequence[str]) -> str:
    """The way to count by which most mentions have their text at their offsets; the first of equal ones.

    Args:
        text: text of the document.
        mentions: start, end and text of each.
        among: names of ways to count.
    """

    def fitting(name: str) -> int:
        units = COUNTS[name](text)
        return sum(covers(text, units, start, end, surface) for start, end, surface in mentions)

    return max(among, key=fitting)


def covers(text: str, units: Units, start: int, end: int, surface: str) -> bool:
    """Whether the characters between two places are those of a mention, but for white space."""
    try:
        covered = text[units.to_character(start) : units.to_character(end)]
    except ValueError:
        return False
    return squeezed(covered) == squeezed(surface)


def squeezed(text: str) -> str:
    """A text with single spaces. A line end that is written as backslash and n is white space too."""
    return " ".join(text.replace("\\r", " ").replace("\\n", " ").split())
