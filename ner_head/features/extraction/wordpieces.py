"""Tokenization of words into word pieces, with the word of each piece."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ner_head.features.store.pieces import Pieces

Definition = dict[str, Any]
"""Content of a `tokenizer.json`."""


class WordPieces:
    """A tokenizer that splits words into word pieces.

    Each word is split separately, so that every piece belongs to one word. SentencePiece and byte-level vocabularies
    mark a piece after white space (`▁Praha`, `ĠPraha`). With them, a word that begins with a space is split as a word
    after white space, and any other word as one that directly follows its neighbour. WordPiece vocabularies do not mark
    white space.
    """

    def __init__(self, definition: Definition, *, cls: int, sep: int, unk: int) -> None:
        """Build a tokenizer. Words that look like special tokens are split like other words.

        Args:
            definition: content of `tokenizer.json`.
            cls: id of [CLS].
            sep: id of [SEP].
            unk: id of [UNK].
        """
        self.cls, self.sep, self.unk = cls, sep, unk
        definition = _without_special_tokens(definition)
        self._first_marked = _mark_spaces(definition, spaces=True)
        self.marks_spaces = self._first_marked is not None
        text = json.dumps(definition)
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        """SHA-256 of the definition."""
        self._behind_space = _plain(Tokenizer.from_str(text))
        self._joined = _joined(self._behind_space, definition) if self.marks_spaces else self._behind_space

    def split(self, sentences: Sequence[Sequence[str]]) -> list[Pieces]:
        """Split the words of each sentence.

        A word of which the normaliser deletes all characters gets one [UNK].
        """
        given = [self._first_as_in_training(words) for words in sentences]
        known = self._ids_of(dict.fromkeys(chain.from_iterable(given)))
        return [self._pieces([known[word] for word in words]) for words in given]

    def _first_as_in_training(self, words: Sequence[str]) -> Sequence[str]:
        """Mark the first word of a sentence as after white space, if the tokenizer does so."""
        return [f" {words[0].removeprefix(' ')}", *words[1:]] if self._first_marked and words else words

    def _ids_of(self, words: Iterable[str]) -> dict[str, list[int]]:
        """Piece ids of distinct words, at least one per word."""
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


def vocabulary(definition: Definition) -> dict[str, int]:
    """Ids of all pieces of a tokenizer, special tokens included."""
    pieces = definition["model"]["vocab"]
    known = dict(pieces) if isinstance(pieces, dict) else {piece: i for i, (piece, _) in enumerate(pieces)}
    return known | {token["content"]: token["id"] for token in definition.get("added_tokens", [])}


def _without_special_tokens(definition: Definition) -> Definition:
    """The same tokenizer, changed so that text such as `</s>` does not become a special token.

    A Unigram model matches all pieces of its vocabulary, special tokens included. Here their names get a first
    character that the normalisers delete, so no text matches them. Other models do not build special tokens from
    characters, and `_plain` turns off their search for special tokens.
    """
    changed = {**definition, "post_processor": None, "pre_tokenizer": copy.deepcopy(definition.get("pre_tokenizer"))}
    model, added = definition["model"], definition.get("added_tokens", [])
    special = {token["content"] for token in added if token["special"]}
    if not isinstance(model["vocab"], list):
        return changed
    changed["added_tokens"] = [
        {**token, "content": f"\0{token['content']}"} if token["special"] else token for token in added
    ]
    vocab = [[f"\0{entry[0]}", entry[1]] if entry[0] in special else entry for entry in model["vocab"]]
    return {**changed, "model": {**model, "vocab": vocab}}


def _mark_spaces(definition: Definition, *, spaces: bool) -> bool | None:
    """Set, in place, whether words are marked as after white space.

    Returns:
        Whether the tokenizer marked the first word of a text before the change; None if it never marks white space.
    """
    first: bool | None = None
    outer = definition["pre_tokenizer"] or {}
    for step in outer.get("pretokenizers", [outer]):
        if step.get("type") == "Metaspace":
            first = step.get("prepend_scheme", "always") != "never" and step.pop("add_prefix_space", True)
            step["prepend_scheme"] = "always" if spaces else "never"
        elif step.get("type") == "ByteLevel":
            first = bool(step["add_prefix_space"])
            step["add_prefix_space"] = spaces
    return first


def _joined(tokenizer: Tokenizer, definition: Definition) -> Tokenizer:
    """A tokenizer for words without white space before them. It shares the vocabulary, which may take 100 MB."""
    _mark_spaces(definition, spaces=False)
    empty = {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}
    steps = Tokenizer.from_str(json.dumps({**definition, "model": empty, "added_tokens": [], "normalizer": None}))
    joined = Tokenizer(tokenizer.model)
    joined.normalizer, joined.pre_tokenizer = tokenizer.normalizer, steps.pre_tokenizer
    return _plain(joined)


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer, with truncation, padding and special tokens turned off."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer
