"""Hashed features of words: form, shape, affixes, and the capitalisation in their document.

A small frozen encoder knows few names. These features help to tell names from other words by their form. They need no
cache and no vocabulary: each feature is a hash, which the head looks up in a table (`head.words`).
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from functools import lru_cache
from itertools import groupby
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import Document
from ner_head.corpus.stems import plain

AFFIX = 4  # length of the longest prefix and suffix, in characters
STEMS = (4, 5, 99)  # lengths of the prefixes of the plain spelling, in characters
COLUMNS = 5 + 2 * AFFIX + len(STEMS) + 1


def shape(word: str) -> str:
    """Character classes of a word, with each run written once: `Xx`, `X`, `0`, `X-0`. Combining marks are ignored."""
    base = (c for c in word if not unicodedata.combining(c))
    kinds = ("X" if c.isupper() else "x" if c.isalpha() else "0" if c.isnumeric() else c for c in base)
    return "".join(kind for kind, _ in groupby(kinds))


def spellings(document: Document) -> dict[str, str]:
    """The capitalisations of each lower-cased word in a document: `x`, `Xx`, `X` (all capitals), or several of these.

    First words of sentences are ignored, because they are capitalised anyway.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for word in (word.text for sentence in document.sentences for word in sentence.words[1:]):
        if word[0].isalpha():
            case = "x" if not word[0].isupper() else "X" if len(word) > 1 and word.isupper() else "Xx"
            found[word.lower()].add(case)
    return {word: "|".join(sorted(cases)) for word, cases in found.items()}


def document_word_ids(document: Document) -> list[NDArray[np.uint32]]:
    """The hashed features of the words of each sentence.

    Returns:
        An array (W, `COLUMNS`) for each sentence. The columns are: lower-cased form; shape; length; shape and whether
        the word is the first of its sentence; the same with the capitalisations in the document; prefixes and suffixes
        of 1 to `AFFIX` characters, 0 if the word is too short; prefixes of the plain spelling (see `stems`), and its
        last 3 letters.
    """
    spelled = spellings(document)
    return [
        np.array([_row(word.text, i == 0, spelled.get(word.text.lower(), "")) for i, word in enumerate(s.words)])
        for s in document.sentences
    ]


@lru_cache(maxsize=1 << 16)
def _row(word: str, first: bool, spelled: str) -> NDArray[np.uint32]:
    lower, form = word.lower(), shape(word)
    values = [lower, form, str(min(len(word), 5)), f"{form} {first}", f"{form} {first} {spelled}"]
    for n in range(1, AFFIX + 1):
        values += [lower[:n], lower[-n:]] if n < len(lower) else ["", ""]
    bare = plain(word)
    values += [*(bare[:n] for n in STEMS), bare[-3:]]
    hashes = (crc32(f"{column}={value}".encode("utf-8", "surrogatepass")) for column, value in enumerate(values))
    return np.array(
        [max(hashed, 1) if value else 0 for hashed, value in zip(hashes, values, strict=True)], dtype=np.uint32
    )
