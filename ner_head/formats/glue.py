"""Where a text has white space between its words, for corpora that come as words alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex

# Scripts that are written without spaces, with their punctuation
UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u3000-\u303f\uff00-\uffef]"
)
COMPOUND = regex.compile(r"\p{L}-\p{L}")
CLOSING = frozenset(",.;:!?…)]}”’›‰°") | {"...", "..", "?!", "!!", "?..", "!.."}
OPENING = frozenset("([{¿¡„‚‹") | {"``"}
PAIRED = {'"': '"“”', "'": "'", "“": '”“"', "”": "”", "«": "»", "»": "«", "„": '“”"', "‚": "‘’'", "``": "''"}
"""What opens a quotation -> what may close it. Languages pair the same marks in different ways."""
QUOTES = frozenset(PAIRED) | {"‘", "''"}
BOTH_SIDES = frozenset("/@_")
SPACED_PERCENT = frozenset({"cs", "de", "fi", "fr", "no", "nb", "ru", "sk", "sv"})
SPACED_HYPHENS = frozenset({"cs", "pl", "sk"})  # where a hyphen by itself is more often a dash
SPACED_SIGNS = frozenset(";:!?»")  # French puts a space before these, and one behind «
ENGLISH = frozenset({"'s", "'re", "'ve", "'ll", "'d", "'m", "n't", "’s", "’re", "’ve", "’ll", "’d", "’m", "n’t"})


def join(words: Sequence[str], spaces: Sequence[bool]) -> tuple[str, list[int]]:
    """Words as a text, with a space before those that want one; and where each begins."""
    starts, parts, length = [], [], 0
    for word, space in zip(words, spaces, strict=True):
        starts.append(length + space)
        parts.append(f" {word}" if space else word)
        length += space + len(word)
    return "".join(parts), starts


def has_compounds(words: Iterable[str]) -> bool:
    """Whether words with a hyphen inside are one word in a corpus, so that a hyphen by itself is a dash."""
    return any("-" in word and COMPOUND.search(word) for word in words)


def spaces_before(words: Sequence[str], language: str, *, hyphens_apart: bool) -> list[bool]:
    """Whether a space stands before each word of a sentence, as one writes it in the language.

    Closing punctuation touches the word before it, an opening bracket the word behind it. A quotation mark opens or
    closes by whether one is open. Scripts that are written without spaces have none. The first word has no space.
    `hyphens_apart` says that compounds are several words (`Jean`, `-`, `Pierre`), so that a hyphen touches both
    neighbours; otherwise it is a dash.
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
    """Whether a word wants a space before and behind it; follows the quotations that are open."""
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
