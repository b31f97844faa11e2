"""Spacing between words, for corpora that have words and no text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex

# scripts written without spaces, and their punctuation
UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u3000-\u303f\uff00-\uffef]"
)
COMPOUND = regex.compile(r"\p{L}-\p{L}")
CLOSING = frozenset(",.;:!?…)]}”’›‰°") | {"...", "..", "?!", "!!", "?..", "!.."}
OPENING = frozenset("([{¿¡„‚‹") | {"``"}
PAIRED = {'"': '"“”', "'": "'", "“": '”“"', "”": "”", "«": "»", "»": "«", "„": '“”"', "‚": "‘’'", "``": "''"}
"""Opening quotation mark -> marks that may close it. Languages pair the same marks in different ways."""
QUOTES = frozenset(PAIRED) | {"‘", "''"}
BOTH_SIDES = frozenset("/@_")
SPACED_PERCENT = frozenset({"cs", "de", "fi", "fr", "no", "nb", "ru", "sk", "sv"})
SPACED_HYPHENS = frozenset({"cs", "pl", "sk"})  # languages in which a hyphen that is a word is mostly a dash
SPACED_SIGNS = frozenset(";:!?»")  # French has a space before these, and one after «
ENGLISH = frozenset({"'s", "'re", "'ve", "'ll", "'d", "'m", "n't", "’s", "’re", "’ve", "’ll", "’d", "’m", "n’t"})


def join(words: Sequence[str], spaces: Sequence[bool]) -> tuple[str, list[int]]:
    """Join words into a text.

    Args:
        words: the words.
        spaces: whether each word has a space before it.
    Returns:
        The text, and the offset of each word in it.
    """
    starts, parts, length = [], [], 0
    for word, space in zip(words, spaces, strict=True):
        starts.append(length + space)
        parts.append(f" {word}" if space else word)
        length += space + len(word)
    return "".join(parts), starts


def has_compounds(words: Iterable[str]) -> bool:
    """Whether any word has an inner hyphen. If so, the corpus does not split compounds, and a lone hyphen is a dash."""
    return any("-" in word and COMPOUND.search(word) for word in words)


def spaces_before(words: Sequence[str], language: str, *, hyphens_apart: bool) -> list[bool]:
    """Whether each word of a sentence has a space before it, by the spacing rules of the language.

    Closing punctuation has no space before it, and an opening bracket has none after it. A quotation mark closes the
    open quotation, if there is one, and otherwise opens one. Scripts written without spaces have none. The first word
    has no space before it.

    Args:
        words: the words of the sentence.
        language: code of the language.
        hyphens_apart: whether the corpus splits compounds (`Jean`, `-`, `Pierre`). If so, a hyphen has no spaces
            around it; otherwise it is a dash.
    """
    open_quotes: list[str] = []
    spaces, joined_to_next, last = [], True, ""
    for word in words:
        glued = hyphens_apart and word == "-" and language not in SPACED_HYPHENS
        before, behind = (False, False) if glued else _sides(word, language, open_quotes)
        unspaced = UNSPACED.match(word) and UNSPACED.match(last)
        spaces.append(before and not joined_to_next and not unspaced)
        joined_to_next, last = not behind, word[-1]
    return spaces


def _sides(word: str, language: str, open_quotes: list[str]) -> tuple[bool, bool]:
    """Whether a word has a space before and after it. Updates the stack of open quotations."""
    french = language == "fr"
    if word in QUOTES:
        if open_quotes and word in PAIRED[open_quotes[-1]]:
            open_quotes.pop()
            return french and word in SPACED_SIGNS, True
        if word in PAIRED:
            open_quotes.append(word)
            return True, french and word == "«"
    if word in CLOSING:
        return french and word in SPACED_SIGNS, True
    if word in OPENING:
        return True, False
    if word in BOTH_SIDES:
        return False, False
    if word in ("%", "‰"):
        return language in SPACED_PERCENT, True
    if word.lower() in ENGLISH:
        return False, True
    return True, not (len(word) > 1 and word[-1] in "'’" and language in ("fr", "it", "ca"))
