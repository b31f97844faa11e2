"""Words -> WordPieces, with every word keeping its place; and windows over sentences that are too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer


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
    """A fast tokenizer, applied to words that were found before."""

    def __init__(self, tokenizer: Tokenizer, *, cls: int, sep: int, unk: int) -> None:
        self.tokenizer, self.cls, self.sep, self.unk = tokenizer, cls, sep, unk
        tokenizer.no_truncation()
        tokenizer.no_padding()

    def split(self, sentences: Sequence[Sequence[str]]) -> list[Pieces]:
        """Split each sentence's words.

        BERT's normaliser deletes some characters, so that a word can be left without pieces; it gets one [UNK].
        """
        encodings = self.tokenizer.encode_batch(
            [list(words) for words in sentences], is_pretokenized=True, add_special_tokens=False
        )
        return [
            self._with_every_word(encoding.ids, encoding.word_ids, len(words))
            for words, encoding in zip(sentences, encodings, strict=True)
        ]

    def _with_every_word(self, ids: list[int], word_of_piece: list[int | None], n_words: int) -> Pieces:
        words = np.asarray(word_of_piece, dtype=np.int32)
        missing = np.setdiff1d(np.arange(n_words, dtype=np.int32), words)
        places = np.searchsorted(words, missing)
        all_words = np.insert(words, places, missing)
        all_ids = np.insert(np.asarray(ids, dtype=np.int32), places, self.unk)
        cls, outside = np.array([self.cls], np.int32), np.array([-1], np.int32)
        return Pieces(np.concatenate([cls, all_ids]), np.concatenate([outside, all_words]))


@dataclass(frozen=True)
class Window:
    """Pieces [start, end) go through the encoder together; [keep_start, keep_end) of them are kept."""

    start: int
    end: int
    keep_start: int
    keep_end: int


def windows(n_pieces: int, capacity: int) -> list[Window]:
    """Cover [0, n_pieces) with windows of at most `capacity`, half overlapping.

    Each piece is kept from the window where it is farthest from a cut edge, so every kept piece has at least
    about capacity / 4 pieces of context on both sides, where the sentence has them.
    """
    if n_pieces <= capacity:
        return [Window(0, n_pieces, 0, n_pieces)]
    stride = max(1, capacity // 2)
    starts = [*range(0, n_pieces - capacity, stride), n_pieces - capacity]
    cuts = [0, *((after + before + capacity) // 2 for before, after in pairwise(starts)), n_pieces]
    return [Window(start, start + capacity, *kept) for start, kept in zip(starts, pairwise(cuts), strict=True)]
