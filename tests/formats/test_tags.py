from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.corpus.documents import Span
from ner_head.formats.tags import Tag, choose_encoding, encoding_name, out_of_place, read_cells, spans
from tests.corpus.strategies import word_spans

FIRST_LAST_SINGLE = {"IOB2": "BIB", "BIOES": "BES", "BILOU": "BLU", "BMES": "BES", "BIOE": "BEB", "IOE2": "IEE"}


def written(n_words: int, wanted: list[Span], scheme: str) -> list[str]:
    """Cells of a scheme, from its definition: the spans do not overlap."""
    cells = ["O"] * n_words
    for before, span, after in zip([None, *wanted], wanted, [*wanted[1:], None], strict=False):
        length = span.end - span.start
        if scheme in FIRST_LAST_SINGLE:
            first, last, single = FIRST_LAST_SINGLE[scheme]
            inner = "M" if scheme == "BMES" else "I"
            prefixes = [single] if length == 1 else [first, *inner * (length - 2), last]
        else:
            prefixes = ["I"] * length
            if scheme == "IOB1" and before and (before.end, before.label) == (span.start, span.label):
                prefixes[0] = "B"
            if scheme == "IOE1" and after and (after.start, after.label) == (span.end, span.label):
                prefixes[-1] = "E"
        cells[span.start : span.end] = [f"{prefix}-{span.label}" for prefix in prefixes]
    return cells


def tags(cells: str | list[str]) -> list[Tag]:
    cells = cells.split() if isinstance(cells, str) else cells
    meanings = read_cells(Counter(cells))
    assert not meanings.wrong
    return [meanings.tags[cell] for cell in cells]


@given(st.data(), st.integers(1, 10), st.sampled_from([*FIRST_LAST_SINGLE, "IOB1", "IOE1"]))
def test_spans_come_back_from_the_tags_of_any_scheme(data: st.DataObject, n_words: int, scheme: str) -> None:
    wanted = data.draw(word_spans(n_words))
    found = tags(written(n_words, wanted, scheme))
    assert spans(found) == wanted
    assert out_of_place(choose_encoding([found]), found) == []


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ("B-PER I-PER O B-LOC", "IOB2"),
        ("I-PER I-PER B-PER O", "IOB1"),
        ("B-PER E-PER S-LOC B-PER I-PER E-PER", "BIOES"),
        ("B-PER L-PER U-LOC", "BILOU"),
        ("B-PER M-PER E-PER S-LOC", "BMES"),
        ("B-PER M-PER E-PER O W-LOC", "BMES"),
        ("B-PER M-PER E-PER O B-LOC O", "BMEO"),
        ("B_PER I_PER E_PER O B_LOC O", "BIOE"),
        ("I-PER E-PER E-PER O E-LOC", "IOE2"),
        ("I-PER E-PER I-PER O I-LOC", "IOE1"),
        ("O O", "IOB2"),
    ],
)
def test_a_scheme_is_known_by_its_tags(cells: str, name: str) -> None:
    meanings = read_cells(Counter(cells.split()))
    found = [meanings.tags[cell] for cell in cells.split()]
    scheme = choose_encoding([found])
    assert encoding_name(scheme, meanings.letters) == name
    assert out_of_place(scheme, found) == []


@pytest.mark.parametrize(
    ("usual", "odd", "scheme"),
    [
        ("I-PER O I-LOC I-LOC O", "B-ORG", "IOB1"),
        ("B-PER I-PER O B-LOC O", "I-ORG", "IOB2"),
        ("B-PER I-PER O B-LOC O", "S-ORG", "IOB2"),
        ("B-PER E-PER O S-LOC O", "I-ORG", "BIOES"),
        ("B-PER E-PER O B-LOC O", "I-ORG", "BIOE"),
        ("I-PER E-PER O E-LOC O", "B-ORG", "IOE2"),
    ],
)
def test_one_odd_row_does_not_decide(usual: str, odd: str, scheme: str) -> None:
    found = tags([*usual.split() * 50, odd])
    assert choose_encoding([found]) == scheme
    assert out_of_place(choose_encoding([found]), found) == [len(found) - 1]


def test_tags_may_have_an_underscore_and_labels_hyphens() -> None:
    assert tags("B_GPE_LOC I-GPE-LOC") == [("B", "GPE_LOC"), ("I", "GPE-LOC")]


def test_labels_alone_are_entities_that_touch() -> None:
    meanings = read_cells(Counter({"PER": 2, "LOC": 1, "O": 9}))
    assert meanings.plain
    assert spans([meanings.tags[cell] for cell in ("PER", "PER", "LOC", "O", "PER")]) == [
        Span(0, 2, "PER"),
        Span(2, 3, "LOC"),
        Span(4, 5, "PER"),
    ]


@pytest.mark.parametrize("cell", ["I-ORG|B-LOC", "B-ORG/B-LOC", "O|B-LOC", "B-LOC,O", "B-ORG B-LOC", "B-ORG;I_LOC"])
def test_two_tags_in_one_cell_are_wrong(cell: str) -> None:
    assert "two tags in one cell" in read_cells(Counter({cell: 1, "B-ORG": 9})).wrong[cell]


def test_two_labels_of_the_file_in_one_cell_are_wrong_but_a_bar_in_a_label_is_not() -> None:
    cells = Counter({"PER": 5, "LOC": 5, "PER|LOC": 1, "PER|firma": 1})
    assert set(read_cells(cells).wrong) == {"PER|LOC"}
    assert set(read_cells(Counter({f"B-{cell}": n for cell, n in cells.items()})).wrong) == {"B-PER|LOC"}


@pytest.mark.parametrize("cell", ["B", "PER-B", "b-per", "B:PER", "B–PER", "o", "?", "_", "B-", ""])
def test_other_ways_to_write_a_position_are_not_taken_for_labels(cell: str) -> None:
    for others in ({"PER": 9}, {"B-PER": 9}):
        assert "expected a tag" in read_cells(Counter({cell: 1, "O": 9, **others})).wrong[cell]


def test_of_labels_with_and_without_positions_the_rarer_are_wrong() -> None:
    assert set(read_cells(Counter({"B-PER": 3, "LOC": 2})).wrong) == {"LOC"}
    assert set(read_cells(Counter({"B-PER": 2, "LOC": 3})).wrong) == {"B-PER"}
