from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.formats.columns import ColumnLayouts, look_at
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.rows import FileRows

FILE = Path("train.conll")
LINES = {  # of a table of three columns, the second of no interest; each with its kind
    "Jana x B-PER": "kept",
    "# x O": "kept",
    "#tag x O": "kept",
    "": "blank",
    " \u00a0": "blank",
    "# text = Jana O": "comment",
    "-DOCSTART- -X- O": "mark",
    " x O": "ignored",  # a blank word
}


def read(lines: list[str]) -> FileRows:
    table = look_at(lines)
    assert table is not None
    found = FileRows(FILE, table, ColumnLayouts(ReaderOptions()).of(table, FILE), ReaderLog())
    found.read(lines)
    return found


def words(found: FileRows) -> list[list[list[str]]]:
    return [[[row.word for row in rows] for rows in document.sentences if rows] for document in found.documents]


@given(st.lists(st.sampled_from(list(LINES)), max_size=30))
def test_every_line_is_counted_as_what_it_is(lines: list[str]) -> None:
    usual = ["a x O"] * 31  # most rows, so that three fields are right
    found = read([*usual, *lines])
    expected = Counter(LINES[line] for line in lines)
    assert found.log.rows == expected + Counter({"kept": len(usual)})
    assert sum(1 for _ in found.rows()) == found.log.rows["kept"]
    assert sum(len(document.blank_words) for document in found.documents) == expected["ignored"]
    assert all(any(document.sentences) for document in found.documents)


def test_comments_stand_before_a_sentence_or_have_a_key() -> None:
    lines = [
        "# a remark B-12",
        "# I-95",
        "#",
        "#newpar",
        "Jana B-PER",
        "# text = spí O",
        "spí O",
        "",
        "# O",
        "a O",
        "",
        "# b c d",
    ]
    found = read([*lines, "c O"])
    assert words(found) == [[["Jana", "spí"], ["#", "a"], ["c"]]]
    assert found.log.rows["comment"] == 6


def test_a_comment_as_long_as_a_row_is_known_by_its_other_columns() -> None:
    lines = ["a NN B-NP O", "b NN I-NP B-LOC", "", "# about a O", "c NN I-NP O", "", "# # B-NP O", "", "# NN x O"]
    assert words(read(lines)) == [[["a", "b"], ["c"], ["#"], ["#"]]]


@pytest.mark.parametrize("mark", ["-DOCSTART- O", "#DOCSTART", "# newdoc id = 3", "# -DOCSTART-"])
def test_documents_begin_at_marks(mark: str) -> None:
    assert words(read([mark, "", "a O", "", mark, mark, "", "b B-X", mark])) == [[["a"]], [["b"]]]


def test_rows_of_conllu_that_are_no_words_are_left_out() -> None:
    found = read(["1-2\tdel\t_", "1\tde\tO", "2\tel\tB-LOC", "2.1\tx\t_", "3\ty\tI-LOC"])
    assert words(found) == [[["de", "el", "y"]]]
    assert found.log.rows == {"kept": 3, "no word": 2}


def test_blank_words_behind_the_last_document_belong_to_it() -> None:
    found = read(["a x O", "-DOCSTART-", "  x O"])
    assert [[row.line for row in document.blank_words] for document in found.documents] == [[3]]


def test_names_of_columns_are_no_words_and_told() -> None:
    found = read(["TOKEN\tNE-COARSE", "Jana\tB-pers", "Token\tO"])
    assert words(found) == [[["Jana", "Token"]]]
    assert found.log.notices == ["train.conll:1: read as a header with the names of the columns"]


def test_empty_fields_behind_the_last_column_do_not_count() -> None:
    assert words(read(["a\tB-X", "b\tO\t", "c\tO"])) == [[["a", "b", "c"]]]


@pytest.mark.parametrize(
    ("lines", "line", "got"),
    [
        (["Jana _ O B-PER", "Nová Malá _ O I-PER", "spí _ O O"], 2, 5),
        (["a\tx\tO", "b\tO", "c\tx\tO"], 2, 2),
        (["a O", "b O", "c"], 3, 1),
        (["a O", "b O", "# c d"], 3, 3),
    ],
)
def test_a_row_of_another_length_is_named_with_file_and_line(lines: list[str], line: int, got: int) -> None:
    with pytest.raises(DataError, match=rf"train\.conll:{line}: a row of {got} fields, but most have \d: \['"):
        read(lines)


def test_a_language_before_every_word_is_taken_off() -> None:
    found = read(["cs:Jana\tB-PER", "cs::\tO", "", "cs:cs:a\tO"])
    assert words(found) == [[["Jana", ":"], ["cs:a"]]]
    assert found.language == "cs"
    assert read(["cs:a O", "b O"]).language == ""


def test_a_file_without_words_is_refused() -> None:
    with pytest.raises(DataError, match=r"train\.conll: no row with a word in column 1"):
        read(["\tO"])
