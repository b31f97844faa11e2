"""One spelling for Slavic words of both scripts, so that what is alike in several languages counts as the same.

президент, prezident and prezydent are one word to a reader. Written alike and cut short they are one to a counter too:
names and roots learnt in one language are known in the others.
"""

from __future__ import annotations

import re
import unicodedata

CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяёіѝ"
PLAIN = "abvgdezziiklmnoprstufhccsš'i'euaeii"
LATIN = {c: {"š": "sc", "'": ""}.get(p, p) for c, p in zip(CYRILLIC, PLAIN, strict=True)}
# Sounds that Polish and Czech write in their own ways, as far as it goes without knowing the language.
SPELLINGS = {"ch": "h", "cz": "c", "sz": "s", "rz": "r", "dz": "d", "ł": "l", "w": "v", "y": "i", "j": "i"}
SPELLING = re.compile("|".join(SPELLINGS))
SOFT = re.compile("i(?=[aeou])")


def plain(word: str) -> str:
    """A word in one Latin spelling without accents: министър -> ministr, Łódź -> lodz, prezydent -> prezident."""
    lower = word.lower()
    if any(c in LATIN for c in lower):
        return "".join(LATIN.get(c, c) for c in lower)
    parts = unicodedata.normalize("NFD", lower.replace("ą", "o"))
    bare = "".join(c for c in parts if not unicodedata.combining(c))
    spelled = SPELLING.sub(lambda found: SPELLINGS[found[0]], bare)
    return SOFT.sub("", spelled) if len(spelled) > 3 else spelled
