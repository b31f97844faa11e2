"""Words -> WordPieces, with every word keeping its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
