"""Checks of files and texts: encodings, line breaks, unknown characters, mixed alphabets, long sentences."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import regex

from ner_head.base.errors import DataError
from ner_head.checks.findings import Finding, Place
from ner_head.checks.places import Places, shortened
from ner_head.corpus.documents import Document
from ner_head.features.extraction.wordpieces import WordPieces
from ner_head.features.extraction.words import words_of
from ner_head.formats.lines import read_text

_BREAKS = {"CRLF": regex.compile(r"\r\n"), "CR": regex.compile(r"\r(?!\n)"), "LF": regex.compile(r"(?<!\r)\n")}
_ODD = regex.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")  # line ends for Python and Unicode, not for most tools
_LETTERS = regex.compile(r"[\p{L}\p{M}]+")
_MIXED = regex.compile(r"(?=.*\p{Latin})(?=.*\p{Cyrillic})[\p{L}\p{M}]+")


def check_files(paths: Iterable[Path]) -> Iterator[Finding]:
    """Encodings and line breaks of the files of a corpus."""
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            yield Finding("error", "unreadable", error.strerror or "cannot be read", (Place(str(path)),))
            continue
        try:
            text = read_text(path)
        except DataError as error:
            where, _, what = str(error).partition(": ")
            yield Finding("error", "encoding", what, (Place(where),))
            continue
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            yield Finding("warning", "encoding", "is UTF-16; convert it to UTF-8", (Place(str(path)),))
        yield from _line_breaks(path, text)


def _line_breaks(path: Path, text: str) -> Iterator[Finding]:
    found = {name: pattern.search(text) for name, pattern in _BREAKS.items()}
    there = [name for name, match in found.items() if match]
    odd = _ODD.search(text)
    if there not in ([], ["LF"]):
        message = f"lines end with {' and '.join(there)}; LF alone is usual"
        match = next(match for name, match in found.items() if name != "LF" and match)
        yield Finding("warning", "line breaks", message, (Place(f"{path}:{_line(text, match.start())}"),))
    if odd:
        name = unicodedata.name(odd[0], f"U+{ord(odd[0]):04X}").lower()
        message = f"has {name} (U+{ord(odd[0]):04X}), which some programs take for the end of a line"
        yield Finding("warning", "line breaks", message, (Place(f"{path}:{_line(text, odd.start())}"),))


def _line(text: str, offset: int) -> int:
    return len(regex.findall(r"\r\n|\r|\n", text[:offset])) + 1


def check_alphabets(documents: Sequence[Document], places: Places) -> Iterator[Finding]:
    """Words with Latin and Cyrillic letters without a mark between them, which look alike and are not."""
    found: dict[str, list[tuple[Document, int]]] = {}
    for document in documents:
        if not regex.search(r"\p{Cyrillic}", document.text) or not regex.search(r"\p{Latin}", document.text):
            continue
        for run in _LETTERS.finditer(document.text):
            if _MIXED.fullmatch(run[0]):
                found.setdefault(run[0], []).append((document, run.start()))
    for word, where in sorted(found.items(), key=lambda each: -len(each[1])):
        scripts = [[c for c in word if regex.match(rf"\p{{{name}}}", c)] for name in ("Latin", "Cyrillic")]
        fewer = min(scripts, key=len)
        letters = ", ".join(f"{unicodedata.name(c).lower()} (U+{ord(c):04X})" for c in dict.fromkeys(fewer))
        times = f", {len(where):,} times" if len(where) > 1 else ""
        spots = tuple(Place(places.at(d, at), d.key, shortened(d.text[max(at - 60, 0) : at + 60])) for d, at in where)
        yield Finding("warning", "mixed alphabets", f"{word!r} has {letters}{times}", spots)


def check_pieces(
    documents: Sequence[Document], places: Places, word_pieces: WordPieces, *, limit: int
) -> Iterator[Finding]:
    """Characters that the tokenizer maps to [UNK], and sentences over the limit of the encoder.

    Args:
        documents: documents with sentences.
        places: their places.
        word_pieces: tokenizer of the encoder.
        limit: number of word pieces in a pass of the encoder, [CLS] and [SEP] included.
    """
    unknown: dict[str, list[tuple[Document, int]]] = {}
    words = [sentence for found in words_of(documents, spaces=word_pieces.marks_spaces) for sentence in found]
    split = iter(word_pieces.split(words))  # all at once, so that a word is split once
    for document in documents:
        for number, pieces in enumerate(islice(split, len(document.sentences))):
            if len(pieces) + 1 > limit:
                message = f"a sentence of {len(pieces):,} word pieces; the encoder takes {limit}, so it sees windows"
                yield Finding("warning", "long sentence", message, (places.of_sentence(document, number),))
            for word in np.unique(pieces.word_of_piece[pieces.ids == word_pieces.unk]).tolist():
                unknown.setdefault(document.sentences[number].words[word].text, []).append(
                    (document, document.sentences[number].words[word].start)
                )
    for word, where in sorted(unknown.items(), key=lambda each: -len(each[1])):
        characters = " ".join(f"{c!r} (U+{ord(c):04X})" for c in unknown_characters(word, word_pieces)) or repr(word)
        times = f", {len(where):,} times" if len(where) > 1 else ""
        spots = tuple(Place(places.at(d, at), d.key, word) for d, at in where)
        yield Finding("warning", "unknown characters", f"the encoder does not know {characters}{times}", spots)


def unknown_characters(word: str, word_pieces: WordPieces) -> list[str]:
    """The characters of a word that are [UNK] by themselves."""
    characters = list(Counter(word))
    found = word_pieces.split([[character] for character in characters])
    return [c for c, pieces in zip(characters, found, strict=True) if word_pieces.unk in pieces.ids]
