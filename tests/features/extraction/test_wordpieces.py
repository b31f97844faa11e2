from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.passes import windows


def test_pieces_begin_with_cls_and_follow_their_words(encoder: Encoder) -> None:
    (pieces,) = encoder.word_pieces.split([["Ano", ",", "EU"]])
    assert pieces.ids[0] == encoder.word_pieces.cls
    assert pieces.word_of_piece.tolist() == [-1, 0, 0, 0, 1, 2, 2]


def test_a_word_without_pieces_keeps_its_place(encoder: Encoder) -> None:
    (pieces,) = encoder.word_pieces.split([["\u200b", "a", "\u00ad", "\u0007", "b", "\u200b"]])
    unknown = encoder.word_pieces.unk
    assert pieces.word_of_piece.tolist() == [-1, 0, 1, 2, 3, 4, 5]
    assert [i for i, p in enumerate(pieces.ids) if p == unknown] == [1, 3, 4, 6]


@given(st.lists(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=6), min_size=1, max_size=4))
def test_every_word_of_any_text_has_a_run_of_pieces(encoder: Encoder, sentences: list[list[str]]) -> None:
    for words, pieces in zip(sentences, encoder.word_pieces.split(sentences), strict=True):
        assert len(pieces.ids) == len(pieces.word_of_piece)
        assert (np.diff(pieces.word_of_piece) >= 0).all()
        assert np.unique(pieces.word_of_piece).tolist() == list(range(-1, len(words)))


@given(n=st.integers(1, 400), capacity=st.integers(2, 60))
def test_windows_keep_every_piece_once_and_where_it_sees_most(n: int, capacity: int) -> None:
    cover = windows(n, capacity)
    kept = [i for w in cover for i in range(w.keep_start, w.keep_end)]
    assert kept == list(range(n))

    def context(piece: int, start: int, end: int) -> int:
        left = piece - start if start else n
        right = end - 1 - piece if end < n else n
        return min(left, right)

    for window in cover:
        assert 0 <= window.start <= window.keep_start <= window.keep_end <= window.end <= n
        assert window.end - window.start <= capacity
        for piece in range(window.keep_start, window.keep_end):
            best = max(context(piece, w.start, w.end) for w in cover if w.start <= piece < w.end)
            assert context(piece, window.start, window.end) >= best - 1
