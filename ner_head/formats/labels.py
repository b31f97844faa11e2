"""Labels of entities: clean them, and check that tags, reports and tables can hold them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import regex

_ENDS = regex.compile(r"^[\s\p{Cf}]+|[\s\p{Cf}]+$")
_WHITE = regex.compile(r"\s+")
_UNPRINTABLE = regex.compile(r"[\p{Cc}\p{Cs}]")


def clean(label: str) -> str:
    """Strip white space and invisible characters from a label, and collapse inner white space."""
    return _WHITE.sub(" ", _ENDS.sub("", label))


def fault(label: str) -> str | None:
    """Why a cleaned label is invalid; None if it is valid."""
    if not label:
        return "an empty label"
    if _UNPRINTABLE.search(label):
        return f"the label {label!r} has control characters"
    if label.startswith("(") and label.endswith(")"):
        return f"the label {label!r} stands in parentheses, which are kept for (missed) and (spurious) in reports"
    return None


def look_alikes(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of labels that differ only in case or in compatibility characters. They are still different labels."""
    groups: dict[str, list[str]] = {}
    for label in sorted(labels):
        groups.setdefault(unicodedata.normalize("NFKC", label).casefold(), []).append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]
