from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Reading, Span
from ner_head.corpus.segment import segment
from ner_head.evaluation.measures.spans import Counts
from ner_head.evaluation.nbest_files import read_nbest, write_nbest
from ner_head.evaluation.readings import from_nbest, oracle, to_nbest

TEXT = "Jana Malá řídí Orel. Žije v Praze."
GOLD = Document(
    "1", TEXT, "cs", "t", segment(TEXT, "cs"), (Span(0, 9, "PER"), Span(15, 19, "ORG"), Span(28, 33, "LOC"))
)
READINGS = [
    [Reading(0.6, (Span(0, 9, "PER"),)), Reading(0.3, (Span(0, 9, "PER"), Span(15, 19, "ORG"))), Reading(0.01, ())],
    [Reading(0.9, ()), Reading(0.1, (Span(28, 33, "LOC"),))],
]


def test_the_first_reading_alone_is_the_prediction() -> None:
    assert oracle([GOLD], [READINGS], 1) == Counts(correct=1, predicted=1, gold=3)


def test_more_readings_can_only_help() -> None:
    assert oracle([GOLD], [READINGS], 2) == Counts(correct=3, predicted=3, gold=3)
    assert oracle([GOLD], [READINGS], 11) == oracle([GOLD], [READINGS], 2)


def test_the_choice_has_the_highest_f1_of_all_choices() -> None:
    rng = random.Random(0)
    for _ in range(50):
        gold = replace(GOLD, spans=tuple(Span(i, i + 1, "PER") for i in range(0, 12, 2)))
        candidates = [
            [
                Reading(0.1, tuple(Span(i, i + 1, "PER") for i in range(4 * s, 4 * s + 4) if rng.random() < 0.5))
                for _ in "abc"
            ]
            for s in range(3)
        ]
        best = max(
            Counts(len(set(found) & set(gold.spans)), len(found), len(gold.spans)).scores()["f1"]
            for choice in itertools.product(*candidates)
            for found in [[span for reading in choice for span in reading.spans]]
        )
        assert oracle([gold], [candidates], 3).scores()["f1"] == pytest.approx(best)


def test_no_sentences_leave_all_gold_missed() -> None:
    assert oracle([replace(GOLD, sentences=())], [[]], 5) == Counts(gold=3)


def test_readings_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "dev.txt"
    assert write_nbest(path, to_nbest(GOLD, READINGS)) == 2
    assert "Malá I-PER I-PER O" in path.read_text(encoding="utf-8")
    assert from_nbest([GOLD], read_nbest(path), path) == [READINGS]


def test_white_space_in_a_word_does_not_end_its_field(tmp_path: Path) -> None:
    sentence = GOLD.sentences[0]
    joined = replace(sentence, words=(replace(sentence.words[0], text="Jana Malá", end=9), *sentence.words[2:]))
    document = replace(GOLD, sentences=(joined,))
    write_nbest(tmp_path / "dev.txt", to_nbest(document, READINGS[:1]))
    assert "\nJana_Malá B-PER" in (tmp_path / "dev.txt").read_text(encoding="utf-8")
    assert from_nbest([document], read_nbest(tmp_path / "dev.txt"), "x") == [READINGS[:1]]


@given(st.text(st.sampled_from("A %20_|ž"), min_size=1).filter(lambda label: label.strip() == label))
def test_a_label_of_several_words_comes_back_from_its_field(label: str) -> None:
    found = [[Reading(0.5, (Span(0, 4, label),))], *READINGS[1:]]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "dev.txt"
        write_nbest(path, to_nbest(GOLD, found))
        assert from_nbest([GOLD], read_nbest(path), path) == [found]


def test_a_file_of_other_documents_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "dev.txt"
    write_nbest(path, to_nbest(GOLD, READINGS))
    for documents in ([GOLD, GOLD], [replace(GOLD, sentences=GOLD.sentences[::-1])]):
        with pytest.raises(DataError, match=r"dev\.txt: sentence 0 of t/cs/1 is not there; run `dvc repro evaluate`"):
            from_nbest(documents, read_nbest(path), path)


def test_a_tag_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "dev.txt"
    sentence, *others = to_nbest(GOLD, READINGS)
    broken = replace(sentence, tags=tuple(("Q", *tags[1:]) for tags in sentence.tags))
    write_nbest(path, [broken, *others])
    with pytest.raises(DataError, match=r"dev\.txt: sentence 0 of t/cs/1 has a tag other than O, B-LABEL and I-LABEL"):
        from_nbest([GOLD], read_nbest(path), path)
