"""Words -> word pieces, with every word keeping its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Definition = dict[str, Any]
"""A tokenizer as in `tokenizer.json`."""


@dataclass(frozen=True)
class Pieces:
    """A sentence as the encoder sees it, without the closing [SEP].

    Attributes:
        ids: (P,) int32, [CLS] first.
        word_of_piece: (P,) int32, the word that each piece belongs to, -1 for [CLS]; never decreasing.
    """

    ids: NDArray[np.int32]
    word_of_piece: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)


class WordPieces:
    """A tokenizer, applied to words that were found before.

    Each word is split by itself, so that every piece belongs to one word. SentencePiece and byte-level vocabularies
    mark a piece that follows white space (`▁Praha`, `ĠPraha`). With them, a word that begins with a space is split
    as a word behind white space, any other as a word that touches its neighbour. WordPiece vocabularies know no
    such difference.
    """

    def __init__(self, tokenizer: Tokenizer, *, cls: int, sep: int, unk: int) -> None:
        """Prepare a tokenizer; words that look like its special tokens are split like any other text."""
        self.cls, self.sep, self.unk = cls, sep, unk
        definition = json.loads(tokenizer.to_str())
        _hide_special_tokens(definition)
        self.first_marked = _mark_spaces(definition, None)
        self.marks_spaces = self.first_marked is not None
        self._behind_space = _plain(definition, spaces=True)
        self._joined = _plain(definition, spaces=False) if self.marks_spaces else self._behind_space
        self.definition = self._behind_space.to_str()
        """The tokenizer as JSON: what decides the pieces."""

    def split(self, sentences: Sequence[Sequence[str]]) -> list[Pieces]:
        """Split each sentence's words.

        A normaliser can delete all characters of a word; such a word gets one [UNK].
        """
        given = [self._first_as_in_training(words) for words in sentences]
        known = self._ids_of(dict.fromkeys(chain.from_iterable(given)))
        return [self._pieces([known[word] for word in words]) for words in given]

    def _first_as_in_training(self, words: Sequence[str]) -> Sequence[str]:
        """The first word of a text is marked as one behind white space, where the tokenizer says so."""
        return [f" {words[0].removeprefix(' ')}", *words[1:]] if self.first_marked and words else words

    def _ids_of(self, words: Iterable[str]) -> dict[str, list[int]]:
        """Piece ids of different words, at least one each."""
        if not self.marks_spaces:
            return self._encode(self._behind_space, {word: word for word in words})
        spaced = {word: word[1:] for word in words if word.startswith(" ")}
        joined = {word: word for word in words if not word.startswith(" ")}
        return self._encode(self._behind_space, spaced) | self._encode(self._joined, joined)

    def _encode(self, tokenizer: Tokenizer, texts: dict[str, str]) -> dict[str, list[int]]:
        single = [[text] for text in texts.values()]
        encodings = tokenizer.encode_batch(single, is_pretokenized=True, add_special_tokens=False)
        return {word: found.ids or [self.unk] for word, found in zip(texts, encodings, strict=True)}

    def _pieces(self, words: list[list[int]]) -> Pieces:
        ids = np.fromiter(chain([self.cls], *words), dtype=np.int32)
        lengths = [1, *map(len, words)]
        return Pieces(ids, np.repeat(np.arange(-1, len(words), dtype=np.int32), lengths))


def _hide_special_tokens(definition: Definition) -> None:
    """Rename the special tokens in a Unigram vocabulary, which would find `</s>` in a text as one piece.

    The new names begin with a character that the normalisers delete. Other models are told not to look for special
    tokens (`_plain`), and cannot build one from letters.
    """
    model, added = definition["model"], definition["added_tokens"]
    definition["post_processor"] = None  # names special tokens, and is not used
    if model["type"] != "Unigram":
        return
    special = {token["content"] for token in added if token["special"]}
    for token in added:
        if token["special"]:
            token["content"] = f"\0{token['content']}"
    model["vocab"] = [[f"\0{piece}" if piece in special else piece, score] for piece, score in model["vocab"]]


def _mark_spaces(definition: Definition, spaces: bool | None) -> bool | None:
    """Set whether a word is marked as one behind white space; None leaves it.

    Returns:
        Whether the tokenizer marked the first word of a text before; None if it never marks spaces.
    """
    first: bool | None = None
    for step in _steps(definition["pre_tokenizer"] or {}):
        if step["type"] == "Metaspace":
            first = step.get("prepend_scheme", "always") != "never" and step.get("add_prefix_space", True)
            if spaces is not None:
                step.pop("add_prefix_space", None)
                step["prepend_scheme"] = "always" if spaces else "never"
        elif step["type"] == "ByteLevel":
            first = bool(step["add_prefix_space"])
            if spaces is not None:
                step["add_prefix_space"] = spaces
    return first


def _steps(pre_tokenizer: Definition) -> list[Definition]:
    """A pre-tokenizer as the list of its steps."""
    steps: list[Definition] = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    return [step for step in steps if step]


def _plain(definition: Definition, *, spaces: bool) -> Tokenizer:
    """A tokenizer without truncation, padding and special tokens."""
    _mark_spaces(definition, spaces)
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer
