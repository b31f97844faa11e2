"""How numbers and texts are shown in results and in the repr of documents."""

from __future__ import annotations

SHOWN = 40  # characters of a text that a repr shows


def rounded(probability: float | None) -> float | None:
    """A probability with four digits."""
    return None if probability is None else round(probability, 4)


def short(text: str) -> str:
    """The beginning of a text, for a repr."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def counted(number: int, what: str) -> str:
    """A number with its noun: `1 word`, `2,000 words`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
