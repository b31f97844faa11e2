"""Spellings of names that are nearly the same in all languages: Latin letters, without accents, by sound."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

_CYRILLIC = dict(
    pair.split(":")
    for pair in [
        "а:a",
        "б:b",
        "в:v",
        "г:g",
        "д:d",
        "е:e",
        "ё:e",
        "ж:z",
        "з:z",
        "и:i",
        "й:i",
        "к:k",
        "л:l",
        "м:m",
        "н:n",
        "о:o",
        "п:p",
        "р:r",
        "с:s",
        "т:t",
        "у:u",
        "ф:f",
        "х:h",
        "ц:c",
        "ч:c",
        "ш:s",
        "щ:s",
        "ъ:a",
        "ы:i",
        "ь:",
        "э:e",
        "ю:iu",
        "я:ia",
        "і:i",
        "ї:i",
        "є:e",
        "ґ:g",
        "ђ:d",
        "ј:i",
        "љ:l",
        "њ:n",
        "ћ:c",
        "џ:d",
    ]
)
_LATIN = {"ł": "l", "ø": "o", "ß": "ss", "đ": "d", "ı": "i", "æ": "e", "œ": "e"}
_LETTERS = str.maketrans(_CYRILLIC | _LATIN)
# digraphs of Czech, Polish and English, and letters that stand for one sound
_SOUNDS = (
    *("sch:s", "sz:s", "cz:c", "rz:r", "sh:s", "zh:z", "kh:h", "ch:h", "ph:f", "th:t", "ck:k", "gh:g", "dj:dz"),
    *("oo:u", "ou:u", "ee:i", "qu:kv", "q:k", "x:ks", "w:v", "y:i", "j:i"),
)
_BETWEEN = regex.compile(r"[\s\-‐-―.,()\"„“”«»/]+")
_OTHER = regex.compile(r"[^\p{L}\p{N}]")
_REPEATED = regex.compile(r"(.)\1+")
_GLIDE = regex.compile(r"i?[ie]+(?=[aou])")
_VOWELS = regex.compile(r"[aeiou]")
_ALIKE = str.maketrans({"c": "s", "z": "s", "d": "t", "b": "p", "v": "f", "g": "k", "h": "k"})


@lru_cache(maxsize=1 << 16)
def latin(text: str) -> str:
    """A text in lower-case Latin letters without accents. Letters of other scripts stay."""
    plain = text.lower().translate(_LETTERS)
    decomposed = unicodedata.normalize("NFD", plain)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@lru_cache(maxsize=1 << 16)
def sound(word: str) -> str:
    """The spelling of a word by sound; "" for a word without letters and digits."""
    plain = latin(word)
    for rule in _SOUNDS:
        written, sounds = rule.split(":")
        plain = plain.replace(written, sounds)
    return _GLIDE.sub("i", _REPEATED.sub(r"\1", _OTHER.sub("", plain)))


@lru_cache(maxsize=1 << 16)
def skeleton(spelled: str) -> str:
    """The first letter of `sound` and the other consonants; consonants that differ in voice alone are the same."""
    consonants = spelled[:1] + _VOWELS.sub("", spelled[1:])
    return _REPEATED.sub(r"\1", consonants.translate(_ALIKE))


def key(name: str) -> tuple[str, ...]:
    """The words of a name, each spelled by sound; the name itself if it has no letter."""
    return tuple(filter(None, map(sound, _BETWEEN.split(name)))) or (name.lower(),)
