"""A common spelling for Slavic words of both scripts, so that cognates in several languages share features.

президент, prezident and prezydent get the same spelling. Names and roots that a head learns in one language
are then known in the others.
"""

from __future__ import annotations

import re
import unicodedata

CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяёіѝ"
PLAIN = "abvgdezziiklmnoprstufhccsš'i'euaeii"
LATIN = {c: {"š": "sc", "'": ""}.get(p, p) for c, p in zip(CYRILLIC, PLAIN, strict=True)}
# Polish and Czech spellings of sounds, as far as they can be replaced without knowing the language.
SPELLINGS = {"ch": "h", "cz": "c", "sz": "s", "rz": "r", "dz": "d", "ł": "l", "w": "v", "y": "i", "j": "i"}
SPELLING = re.compile("|".join(SPELLINGS))
SOFT = re.compile("i(?=[aeou])")


def plain(word: str) -> str:
    """Spell a word in Latin letters without accents: министър -> ministr, Łódź -> lodz, prezydent -> prezident."""
    lower = word.lower()
    if any(c in LATIN for c in lower):
        return "".join(LATIN.get(c, c) for c in lower)
    parts = unicodedata.normalize("NFD", lower.replace("ą", "o"))
    bare = "".join(c for c in parts if not unicodedata.combining(c))
    spelled = SPELLING.sub(lambda found: SPELLINGS[found[0]], bare)
    return SOFT.sub("", spelled) if len(spelled) > 3 else spelled
