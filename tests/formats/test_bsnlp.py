from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Span
from ner_head.formats.bsnlp import read
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem
from tests.conftest import ROOT
from tests.corpus.strategies import write

HEADER = "pl-1\npl\n2018-02-07\nhttps://news.example/1\n"
TEXT = "May jedzie do UE\r\n\r\nTheresa May z Londynu."
RAW, OUT = "raw/brexit/pl/one.txt", "annotated/brexit/pl/two.out"


def only(root: Path) -> tuple[list[tuple[str, str]], tuple[Problem, ...]]:
    ((document, problems),) = read(root, ReaderOptions(), ReaderLog())
    return [(document.text[span.start : span.end], span.label) for span in document.spans], problems


def test_raw_and_annotated_pair_by_id_and_text_begins_at_the_title(tmp_path: Path) -> None:
    write(tmp_path, {RAW: HEADER + TEXT, OUT: "pl-1\nTheresa May\tTheresa May\tPER\tPER-May\n"})
    ((document, problems),) = read(tmp_path, ReaderOptions(("pl",)), ReaderLog())
    assert (document.key, document.text) == ("brexit/pl/pl-1", TEXT)
    assert document.spans == (Span(20, 31, "PER"),)
    assert problems == ()


def test_mentions_are_projected_longest_first_and_the_title_counts(tmp_path: Path) -> None:
    rows = "\npl-1\r\n  May \tMay\tper\tx\r\nTheresa May\tx\tPER\tx\r\n\r\nUE\tUE\tORG\r\n"
    write(tmp_path, {RAW: "\ufeff" + HEADER.replace("\n", "\r\n") + TEXT, OUT: rows})
    assert only(tmp_path) == ([("May", "PER"), ("UE", "ORG"), ("Theresa May", "PER")], ())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_lines_may_end_in_any_way_and_the_text_keeps_its_ends(tmp_path: Path, end: str) -> None:
    text = "May jede do Brna.\n\nTheresa May.".replace("\n", end)
    write(
        tmp_path,
        {
            RAW: HEADER.replace("\n", end) + text,
            OUT: f"pl-1{end}May\tMay\tPER\tx{end}\u00a0{end}\ufeffBrna\tBrno\tLOC\tx{end}",
        },
    )
    log = ReaderLog()
    ((document, problems),) = read(tmp_path, ReaderOptions(), log)
    assert document.text == text
    assert [text[span.start : span.end] for span in document.spans] == ["May", "Brna", "May"]
    assert problems == ()
    assert log.rows == {"mark": 1, "kept": 2, "blank": 1}


def test_suffixes_of_2017_and_in_capitals_are_read_and_other_files_named(tmp_path: Path) -> None:
    files = {"raw/brexit/pl/1.TXT": HEADER + TEXT, "annotated/brexit/pl/1.txt": "pl-1\nUE\tUE\tORG\tx\n"}
    more = {
        "raw/brexit/pl/._1.txt": b"\xff",
        "raw/brexit/pl/notes.doc": b"\xff",
        "raw/brexit/pl/README.txt": "",
        "annotated/brexit/pl/2.xml": "",
    }
    write(tmp_path, {**files, **more})
    log = ReaderLog()
    ((document, _),) = read(tmp_path, ReaderOptions(), log)
    assert [document.text[span.start : span.end] for span in document.spans] == ["UE"]
    assert {path.relative_to(tmp_path).as_posix() for path in log.passed_over} == set(more)
    assert {path.relative_to(tmp_path).as_posix() for path in log.files} == set(files)


def test_topics_that_are_not_wanted_are_not_opened(tmp_path: Path) -> None:
    write(tmp_path, {RAW: HEADER + TEXT, OUT: "pl-1\n", "raw/other/pl/1.txt": b"\xff", "raw/brexit/ru/1.txt": b"\xff"})
    options = ReaderOptions(("pl",), frozenset({"brexit"}))
    assert [document.key for document, _ in read(tmp_path, options, ReaderLog())] == ["brexit/pl/pl-1"]


def test_what_is_not_taken_is_listed(tmp_path: Path) -> None:
    rows = "pl-1\nUE\tUE\tORG\tx\nue\tUE\tLOC\tx\nBerlin\tBerlin\tLOC\tx\nMay\tMay\nMay\tMay\tGOD\tx\n"
    write(tmp_path, {RAW: HEADER + TEXT, OUT: rows})
    key = "brexit/pl/pl-1"
    assert only(tmp_path) == (
        [("UE", "ORG")],
        (
            Problem(key, "row ignored", detail="line 5: May\tMay"),
            Problem(key, "row ignored", detail="line 6: May\tMay\tGOD\tx"),
            Problem(key, "two categories", "ue", "ORG, LOC"),
            Problem(key, "not found", "Berlin", "LOC"),
        ),
    )


def test_of_two_categories_the_first_is_taken(tmp_path: Path) -> None:
    write(tmp_path, {RAW: HEADER + TEXT, OUT: "pl-1\nUE\tUE\tLOC\tx\nUE\tUE\tORG\tx\n"})
    spans, problems = only(tmp_path)
    assert spans == [("UE", "LOC")]
    assert [problem.detail for problem in problems] == ["LOC, ORG"]


def test_no_annotations_are_not_no_entities(tmp_path: Path) -> None:
    blind = HEADER.replace("pl-1", "pl-2")
    write(tmp_path, {RAW: HEADER + TEXT, OUT: "pl-1\n", "raw/brexit/pl/x.txt": blind + TEXT})
    assert [problems for _, problems in read(tmp_path, ReaderOptions(), ReaderLog())] == [
        (),
        (Problem("brexit/pl/pl-2", "no annotations", detail=str(tmp_path / "raw/brexit/pl/x.txt")),),
    ]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({RAW: "pl-1\npl\nTitle\n"}, r"one\.txt: expected lines id, language, date, URL, title, then the text"),
        ({RAW: HEADER + TEXT, OUT: "\n"}, r"two\.out: empty; its first line must be the id of a document"),
        ({RAW: HEADER + TEXT, OUT: "pl-7\n"}, r"two\.out: annotates 'pl-7', but no file in .*pl has this id"),
        (
            {RAW: HEADER + TEXT, OUT: "pl-1\n", "annotated/brexit/pl/zwei.out": "pl-1\n"},
            r"zwei\.out: annotates 'pl-1', and so does two\.out; leave one of them",
        ),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path: Path, files: dict[str, str | bytes], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        list(read(write(tmp_path, files), ReaderOptions(), ReaderLog()))


def test_every_occurrence_has_the_lemma_and_the_entity_of_its_row(tmp_path: Path) -> None:
    rows = "pl-1\nLondynu\tLondyn\tLOC\tGPE-London\nTheresa May\t\tPER\nmay\tMay\tPER\tPER-May\n"
    write(tmp_path, {RAW: HEADER + "Londynu, Londynu, Theresa May, May", OUT: rows})
    ((document, _),) = read(tmp_path, ReaderOptions(), ReaderLog())
    found = [(span.text, span.lemma, span.entity) for span in document.spans]
    assert found == [(None, "Londyn", "GPE-London")] * 2 + [(None, None, None), (None, "May", "PER-May")]


def test_the_sample_has_lemmas_and_entities_of_all_mentions() -> None:
    documents = [document for document, _ in read(ROOT / "data/sample", ReaderOptions(), ReaderLog())]
    spans = [span for document in documents for span in document.spans]
    assert all(span.lemma and span.entity for span in spans)
    assert sum(d.text[s.start : s.end] != s.lemma for d in documents for s in d.spans) > len(spans) / 5
