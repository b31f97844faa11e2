from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Span
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem
from ner_head.formats.slavicner import read
from tests.corpus.strategies import write

RAW, TABLE = "raw/brexit/bg/one.txt.txt", "ner/brexit/bg/one.txt.tsv"


def test_offsets_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = '0\t2\tЕС\tЕС\tORG\tORG-EU\r\n5\t11\tв "Ню"\t\tPRO\tx\n'
    write(tmp_path, {RAW: 'ЕС27 в "Ню"', TABLE: rows})
    ((document, problems),) = read(tmp_path, ReaderOptions(("bg",)), ReaderLog())
    assert document.key == "brexit/bg/one.txt"
    assert document.spans == (Span(0, 2, "ORG"), Span(5, 11, "PRO"))
    assert problems == ()


def test_a_surface_that_differs_from_its_offsets_is_a_problem_and_no_span(tmp_path: Path) -> None:
    write(tmp_path, {RAW: "ЕС27", TABLE: "1\t3\tЕС\tЕС\tORG\tx\n"})
    ((document, problems),) = read(tmp_path, ReaderOptions(), ReaderLog())
    assert document.spans == ()
    assert problems == (Problem(document.key, "surface differs", "ЕС", "one.txt.tsv:1: [1, 3) covers 'С2'"),)


@pytest.mark.parametrize(
    ("text", "rows", "told"),
    [
        ("Jana\r\nv Brně\r\n", "0\t4\tJana\tx\tPER\tx\n7\t11\tBrně\tx\tLOC\tx\n", "CR before LF"),
        ("\ufeffJana v Brně", "0\t4\tJana\tx\tPER\tx\n7\t11\tBrně\tx\tLOC\tx\n", "the byte order mark"),
        (
            "\ufeffJana\r\nv\r\nBrně",
            "0\t4\tJana\tx\tPER\tx\n7\t11\tBrně\tx\tLOC\tx\n",
            "CR before LF and the byte order mark",
        ),
    ],
)
def test_offsets_that_do_not_count_every_character_are_moved_and_told(
    tmp_path: Path, text: str, rows: str, told: str
) -> None:
    write(tmp_path, {RAW: text, TABLE: rows})
    log = ReaderLog()
    ((document, problems),) = read(tmp_path, ReaderOptions(), log)
    assert document.text == text
    assert [text[span.start : span.end] for span in document.spans] == ["Jana", "Brně"]
    assert problems == ()
    assert log.notices == [f"the offsets of some texts leave out {told}; they were converted"]


def test_offsets_that_fit_the_exact_text_stay(tmp_path: Path) -> None:
    write(
        tmp_path,
        {RAW: "\ufeffEU\r\nEU", TABLE: "\ufeff1\t3\tEU\tx\tORG\tx\r\n \r\n5\t7\tEU\tx\tORG\tx\n1\t2\tEU\tx\tORG\tx\n"},
    )
    log = ReaderLog()
    ((document, problems),) = read(tmp_path, ReaderOptions(), log)
    assert document.spans == (Span(1, 3, "ORG"), Span(5, 7, "ORG"))
    assert [problem.kind for problem in problems] == ["surface differs"]
    assert log.rows == {"kept": 2, "ignored": 1, "blank": 1}
    assert log.notices == []


def test_a_table_without_a_text_is_named(tmp_path: Path) -> None:
    write(tmp_path, {RAW: "ЕС", TABLE: "", "ner/brexit/bg/two.tsv": ""})
    with pytest.raises(DataError, match=r"two\.tsv: annotates two\.txt, but .*raw/brexit/bg has no such file"):
        list(read(tmp_path, ReaderOptions(), ReaderLog()))


def test_a_missing_table_is_told_from_an_empty_one(tmp_path: Path) -> None:
    write(tmp_path, {RAW: "ЕС", "raw/brexit/bg/two.txt": "ЕС", TABLE: ""})
    assert [problems for _, problems in read(tmp_path, ReaderOptions(), ReaderLog())] == [
        (),
        (Problem("brexit/bg/two", "no annotations", detail=str(tmp_path / "raw/brexit/bg/two.txt")),),
    ]


@pytest.mark.parametrize("row", ["0\t2\tЕС", "0\tx\tЕС\tЕС\tORG\tx", "2\t2\tЕС\tЕС\tORG\tx", "0\t2\tЕС\tЕС\t\tx"])
def test_a_row_that_is_none_is_named_with_file_and_line(tmp_path: Path, row: str) -> None:
    write(tmp_path, {RAW: "ЕС", TABLE: f"0\t2\tЕС\tЕС\tORG\tx\n{row}\n"})
    with pytest.raises(DataError, match=r"one\.txt\.tsv:2: expected .*got \["):
        list(read(tmp_path, ReaderOptions(), ReaderLog()))


def test_every_row_of_the_corpus_is_exact(corpora: Path) -> None:
    sources = list(read(corpora / "slavicner", ReaderOptions(("cs",)), ReaderLog()))
    assert len(sources) == 373
    assert not any(problems for _, problems in sources)


def test_lemma_and_entity_are_kept_and_an_empty_one_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, {RAW: "ЕС и Ню", TABLE: "0\t2\tЕС\t ЕС \tORG\tORG-EU\n5\t7\tНю\t\tLOC\n"})
    ((document, _),) = read(tmp_path, ReaderOptions(), ReaderLog())
    assert [(span.lemma, span.entity) for span in document.spans] == [("ЕС", "ORG-EU"), (None, None)]
