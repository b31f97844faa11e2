from __future__ import annotations

from pathlib import Path

import pytest
import regex

from ner_head.base.errors import DataError, UsageError
from ner_head.formats.columns import ColumnLayout, ColumnLayouts, Table, is_key, is_mark, look_at, split
from ner_head.formats.options import ReaderOptions
from tests.conftest import ROOT

FILE = Path("train.tsv")


def table(text: str) -> Table:
    found = look_at(text.split("\n"))
    assert found is not None
    return found


def layout(text: str, *, word: int = 0, tag: int = 0) -> ColumnLayout:
    return ColumnLayouts(ReaderOptions(word_column=word, tag_column=tag)).of(table(text), FILE)


def where(text: str, *, word: int = 0, tag: int = 0) -> tuple[int, int]:
    """The columns of words and tags, from 1."""
    found = layout(text, word=word, tag=tag)
    return found.word + 1, found.tag + 1


@pytest.mark.parametrize(
    "line", ["-DOCSTART-", "-DOCSTART- -X- O O", "0\t-DOCSTART-\tO", "#DOCSTART", "# -DOCSTART-", "# newdoc id = d1"]
)
def test_marks_of_documents(line: str) -> None:
    assert is_mark(line)


@pytest.mark.parametrize("line", ["DOCSTART O", "-DOCSTART-x O", "# newdocs", "1 2 -DOCSTART- O", "a -DOCSTART- O"])
def test_other_lines_are_no_marks(line: str) -> None:
    assert not is_mark(line)


@pytest.mark.parametrize(("line", "key"), [("# text = a O", True), ("#id = 3", True), ("# O", False), ("# a O", False)])
def test_keys_of_conllu(line: str, key: bool) -> None:
    assert is_key(line) == key


@pytest.mark.parametrize(
    ("text", "tabs", "n_fields"),
    [
        ("a B-PER\nb O", False, 2),
        ("New York\tB-LOC\nb\tO", True, 2),
        ("a\t\tB-LOC\nbcdefgh\tO", False, 2),  # tabs that align columns
        ("a b\tB-LOC\nc\tO\n\t\n\nd\te\tO", True, 2),
        ("# a comment\n-DOCSTART-\na B-PER", False, 2),
    ],
)
def test_rows_part_at_what_makes_them_alike(text: str, tabs: bool, n_fields: int) -> None:
    found = table(text)
    assert (found.tabs, found.n_fields) == (tabs, n_fields)


def test_a_file_of_marks_and_comments_has_no_table() -> None:
    assert look_at(["", "# x", "-DOCSTART- O", "\u00a0"]) is None


def test_only_spaces_and_tabs_part_fields() -> None:
    assert split("10\u00a0000  NN\tO ", tabs=False) == ["10\u00a0000", "NN", "O"]
    assert split(" 10 000\t \tO", tabs=True) == ["10 000", "", "O"]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("EU NNP I-NP I-ORG\nrejects VBZ I-VP O\nGerman JJ I-NP I-MISC", (1, 4)),  # CoNLL 2003
        ("Jana jana NE I-NC I-PER\nspí spát V I-VC O", (1, 5)),  # its German part
        ("he PRP B-NP\nis VBZ B-VP\n. . O", (1, 3)),  # CoNLL 2000: chunks are all there is
        ("1\tIn\tO\tO\n2\tFC\tB-ORG\tO\n3\tWorms\tI-ORG\tB-LOC", (2, 3)),  # GermEval
        ("0\tJana\tB-PER\n1\tspí\tO\n\n0\tBrno\tB-LOC", (2, 3)),  # WikiNEuRal
        ("1\tJana\tB-PER\t-\tanna\n2\tspí\tO\t-\t-", (2, 3)),  # UNER
        ("1\tOla\tOla\tPROPN\tB-PER\n2-3\tdel\t_\t_\t_\n2\tde\tde\tADP\tO\n2.1\tx\tx\tX\tO\n3\tel\tel\tD\tO", (2, 5)),
        ("นาย\tNN\tB_PER\tB_CLS\n_\tPU\tI_PER\tI_CLS\nข\tNN\tE_PER\tE_CLS\nไป\tVV\tO\tB_CLS", (1, 3)),  # LST20
        ("abc _ _ B-CW\ndef _ _ I-CW", (1, 4)),  # MultiCoNER
        ("Je O +\nBrno B-LOC -", (1, 2)),
        ("he NN B-NP O\nis VB B-VP O", (1, 4)),
        ("1.\tJana\tB-PER\n2.\tspí\tO", (2, 3)),
        ("1-1\tJana\tB-PER\n1-2\tspí\tO\n\n2-1\tBrno\tB-LOC", (2, 3)),
        ("s1.t1\tJana\tB-PER\ns1.t2\tspí\tO", (2, 3)),
        ("covid-19 NN B-MISC\nkills VB O", (1, 3)),
        ("B-PER\tJana\nO\tspí", (2, 1)),
        ("Jana NNP PER\nspí VBZ O\nBrno NNP LOC", (1, 3)),  # labels alone
        ("1 B-NUM\n2 O\n3 O", (1, 2)),  # words that count
        ("Jana B-PER B-PER\nspí O O", (1, 2)),
    ],
)
def test_columns_of_words_and_tags_are_found(text: str, columns: tuple[int, int]) -> None:
    assert where(text) == columns


def test_lines_of_the_documentation_are_read_as_it_says() -> None:
    page = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    rows = regex.findall(r"^\|[^|]+\| `(.+?)` \| word (\d+), tag (\d+)", page, regex.MULTILINE)
    assert len(rows) >= 8
    for line, word, tag in rows:
        assert where(line.replace("⇥", "\t").replace("\\|", "|")) == (int(word), int(tag)), line


def test_a_number_may_go_on_over_sentences() -> None:
    rows = "\n\n".join(f"{number}\tw\tO\n{number + 1}\tv\tB-PER" for number in range(40, 60, 2))
    assert where(rows) == (2, 3)


def test_a_column_that_never_changes_holds_no_words() -> None:
    rows = "\n".join(f"doc1\t{number}\tw{number}\tO" for number in range(1, 12))
    assert where(f"{rows}\ndoc1\t12\tBrno\tB-LOC") == (3, 4)


def test_why_is_told() -> None:
    text = "1 EU NNP I-NP I-ORG\n2 mlčí VBZ I-VP O"
    assert layout(text).why == ("column 1 numbers the words", "column 4 holds chunks")


def test_tags_may_be_a_feature_among_others() -> None:
    text = "1\tOla\tPROPN\tSpaceAfter=No|name=B-PER\n2\tsov\tVERB\t_\n3\t.\tPUNCT\tname=O\n4\tx\tX\tI-LOC"
    found = layout(text)
    assert (found.word, found.tag) == (1, 3)
    assert [found.tag_cell(row) for rows in table(text).sentences for row in rows] == ["B-PER", "O", "O", "I-LOC"]


def test_ranges_and_empty_nodes_are_no_words() -> None:
    found = layout("1-2\tdel\t_\n1\tde\tO\n2\tel\tB-LOC\n2.1\tx\t_\n3\ty\tI-LOC")
    assert [found.is_no_word([number, "x", "O"]) for number in ("1-2", "1", "2.1")] == [True, False, True]


def test_a_number_of_sentence_and_word_is_no_range() -> None:
    found = layout("1-1\tJana\tB-PER\n1-2\tspí\tO\n1-3\t.\tO")
    assert not found.is_no_word(["1-2", "spí", "O"])


def test_columns_that_are_given_are_taken() -> None:
    text = "1\ta\tB-PER\tO\n2\tb\tO\tB-LOC"
    assert where(text, tag=3) == (2, 3)
    assert where(text, tag=4) == (2, 4)
    assert where("a\tb\tB-PER", word=2) == (2, 3)
    assert where("1\ta\tO\n2\tb\tO", word=1) == (1, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a NN B-PER O\nb NN O B-LOC", r"train\.tsv: columns 3 and 4 hold tags, as in \['a', .*\{tag: N\}"),
        ("This is a text.\nIt has no tags.", r"train\.tsv: no column looks like tags.*\{word: N, tag: N\}"),
        ("B-PER\nO", r"train\.tsv: no column of words beside the tags in column 1"),
    ],
)
def test_what_cannot_be_decided_names_the_param(text: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        layout(text)


def test_a_column_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"prepare\.columns: train\.tsv has 2 columns, there is no column 3"):
        layout("a O", tag=3)


def test_files_of_which_one_counts_are_looked_at_apart() -> None:
    layouts = ColumnLayouts(ReaderOptions())
    counting, other = table("1 Jana B-PER\n2 spí O"), table("Brno NNP B-LOC\nje VB O")
    for one in (other, counting):
        layouts.add(one)
    assert [(layouts.of(one, FILE).word, layouts.of(one, FILE).tag) for one in (counting, other)] == [(1, 2), (0, 2)]


def test_files_with_as_many_columns_are_looked_at_together() -> None:
    layouts = ColumnLayouts(ReaderOptions())
    poor, rich = table("O x O"), table("b y B-PER\nc z O\nd x O")
    layouts.add(poor)
    layouts.add(rich)
    assert (layouts.of(poor, FILE).word, layouts.of(poor, FILE).tag) == (0, 2)
