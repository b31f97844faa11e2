from __future__ import annotations

import numpy as np
import pytest

from ner_head.corpus.documents import Document
from ner_head.corpus.segment import segment
from ner_head.corpus.word_features import AFFIX, COLUMNS, document_word_ids, shape, spellings

LOWER, SHAPE, LENGTH, PLACE, SPELLED = range(5)
AFFIXES, PLAIN = slice(5, 5 + 2 * AFFIX), slice(5 + 2 * AFFIX, COLUMNS)


def document(text: str) -> Document:
    return Document("1", text, "cs", "", segment(text, "cs"))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Praha", "Xx"),
        ("NATO", "X"),
        ("ЕС27", "X0"),
        ("Sky-News", "Xx-Xx"),
        ("McDonald", "XxXx"),
        ("3.141,59", "0.0,0"),
        ("Cafe\u0301", "Xx"),
        ("...", "."),
        ("\u0301", ""),
    ],
)
def test_a_shape_has_runs_written_once(word: str, expected: str) -> None:
    assert shape(word) == expected


def test_spellings_leave_out_the_first_words_of_sentences_and_what_has_no_letters() -> None:
    text = "Vláda mlčela. Dnes Vláda řekla 12 A NATO, že vláda NaTo a Nato. Praha je 1A."
    assert spellings(document(text)) == {
        "mlčela": "x",
        "vláda": "Xx|x",
        "řekla": "x",
        "a": "Xx|x",
        "nato": "X|Xx",
        "že": "x",
        "je": "x",
    }


def test_every_word_of_every_sentence_has_its_row() -> None:
    whole = document("Vláda mlčela. Dnes je v Praze \u0301 12 lidí.")
    rows = document_word_ids(whole)
    assert [r.shape for r in rows] == [(len(s.words), COLUMNS) for s in whole.sentences]
    assert all(r.dtype == np.uint32 for r in rows)


def test_columns_say_what_they_should() -> None:
    ((first, _, _, inner, _, other, _),) = document_word_ids(document("Praha a malá Praha zdraví Brno."))
    assert (first[[LOWER, SHAPE, LENGTH]] == inner[[LOWER, SHAPE, LENGTH]]).all()
    assert first[PLACE] != inner[PLACE]
    assert first[SPELLED] != inner[SPELLED]
    assert (inner[[SHAPE, PLACE, SPELLED]] == other[[SHAPE, PLACE, SPELLED]]).all()
    assert inner[LOWER] != other[LOWER]
    assert len(set(first)) == COLUMNS  # the same string in two columns is two features


def test_affixes_are_shorter_than_the_word() -> None:
    ((one, two, *_),) = document_word_ids(document("a od."))
    assert (one[AFFIXES] == 0).all()
    assert (two[AFFIXES][:2] > 0).all()
    assert (two[AFFIXES][2:] == 0).all()


def test_both_scripts_share_the_plain_spelling() -> None:
    ((cyrillic, latin, _),) = document_word_ids(document("Варшава Warszawa."))
    assert (cyrillic[PLAIN] == latin[PLAIN]).all()
    assert cyrillic[LOWER] != latin[LOWER]


def test_how_the_rest_of_the_document_spells_a_word_changes_one_column() -> None:
    alone, beside = document("Vláda."), document("Vláda. Ale vláda mlčela.")
    differ = document_word_ids(alone)[0][0] != document_word_ids(beside)[0][0]
    assert np.flatnonzero(differ).tolist() == [SPELLED]


def test_the_numbers_are_the_same_on_every_machine() -> None:
    ((row, _),) = document_word_ids(document("Praha."))
    assert row[:3].tolist() == [1804335089, 1776031817, 3841287281]  # CRC-32 of "0=praha", "1=Xx", "2=5"
