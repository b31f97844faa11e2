"""N-best files: a round trip, and the file and line in errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.evaluation.nbest_files import NBest, read_nbest, write_nbest

TOKENS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6).filter(lambda t: t.split() == [t])


@st.composite
def sentences(draw: st.DrawFn) -> NBest:
    n_words, n = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    words = tuple(draw(TOKENS) for _ in range(n_words))
    tags = tuple(tuple(draw(TOKENS) for _ in range(n_words)) for _ in range(n))
    return NBest(words, tags, tuple(draw(st.floats(0, 1)) for _ in range(n)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(sentences(), max_size=4))
def test_what_is_written_is_read_back(tmp_path: Path, written: list[NBest]) -> None:
    path = tmp_path / "folder" / "out.nbest"
    assert write_nbest(path, written) == len(written)
    assert list(read_nbest(path)) == written


def test_the_layout_is_that_of_ncrfpp(tmp_path: Path) -> None:
    path = tmp_path / "out.nbest"
    write_nbest(
        path,
        [NBest(("Jana", "spí"), (("B-PER", "O"), ("B-PER", "I-PER")), (0.75, 0.125)), NBest(("#",), (("O",),), (1.0,))],
    )
    assert path.read_text(encoding="utf-8") == "# 0.75 0.125\nJana B-PER B-PER\nspí O I-PER\n\n# 1.0\n# O\n\n"


def test_a_file_of_ncrfpp_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ncrfpp.nbest"
    path.write_bytes(b"# 0.5723 0.2107\r\nEU S-ORG B-MISC\r\nrejects O O\r\n\r\n\r\n# 1.0000 0.0000\n. O S-LOC")
    assert list(read_nbest(path)) == [
        NBest(("EU", "rejects"), (("S-ORG", "O"), ("B-MISC", "O")), (0.5723, 0.2107)),
        NBest((".",), (("O",), ("S-LOC",)), (1.0, 0.0)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Jana O\n", r":1: expected '#' and the probabilities of a sentence's hypotheses, got 'Jana O'"),
        ("# 1.0\nJana O\n\n# 0.5 0.5\nspí O O\ntu O\n", r":6: expected a word and 2 tags, got 2 fields"),
        ("# 1.0\n\n", r":1: not an n-best sentence: an n-best sentence needs at least one word"),
        ("#\nJana\n", r":1: not an n-best sentence: an n-best sentence needs at least one word and one hypothesis"),
        ("# much\nJana O\n", r":1: not an n-best sentence: could not convert string to float: 'much'"),
    ],
)
def test_what_is_no_nbest_file_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.nbest"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        list(read_nbest(path))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.nbest: No such file or directory"):
        list(read_nbest(tmp_path / "none.nbest"))


@pytest.mark.parametrize(
    ("words", "tags", "probabilities", "message"),
    [
        (("a b",), (("O",),), (1.0,), "'a b' is empty or has white space"),
        (("a",), (("",),), (1.0,), "'' is empty or has white space"),
        (("a",), (("O",),), (0.5, 0.5), "expected 1 probabilities, one a hypothesis, got 2"),
        (("a", "b"), (("O",),), (1.0,), "expected 2 tags in each hypothesis, one a word, got 1"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(
    words: tuple[str, ...], tags: tuple[tuple[str, ...], ...], probabilities: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        NBest(words, tags, probabilities)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"# 1.0\nJan\xff B-PER\n\n")
    with pytest.raises(DataError, match=r"a\.txt: not UTF-8"):
        list(read_nbest(tmp_path / "a.txt"))
