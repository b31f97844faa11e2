"""What an extraction prints of its progress."""

from __future__ import annotations

import re

import pytest

from ner_head.features.extraction import progress
from ner_head.features.extraction.progress import ShardProgress

PIECES = {"a": 600, "b": 1000}


def test_lines_tell_what_there_is_to_do_how_far_it_is_and_the_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with ShardProgress("lines", n_shards=12, pieces=PIECES) as shown:
        shown.finished("a")
        shown.finished("b")
    first, half, end, last = capsys.readouterr().err.splitlines()
    assert first == "12 shards, 2 to compute: 1,600 pieces"
    assert re.fullmatch(r"1 shards left: 600 of 1,600 pieces, [\d,.]+ pieces/s, \d:\d\d:\d\d left", half)
    assert end.startswith("0 shards left: 1,600 of 1,600 pieces, ")
    assert re.fullmatch(r"2 shards computed in 0 s: 1,600 pieces, [\d,]+ pieces/s", last)


def test_where_nothing_is_missing_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ShardProgress("auto", n_shards=12, pieces={}):
        pass
    assert capsys.readouterr().err == "12 shards, 0 to compute: 0 pieces\n"


def test_a_run_that_stops_does_not_say_that_all_was_computed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), ShardProgress("lines", n_shards=2, pieces=PIECES) as shown:
        shown.finished("unknown")
    assert capsys.readouterr().err == "2 shards, 2 to compute: 1,600 pieces\n"


def test_none_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ShardProgress("none", n_shards=2, pieces=PIECES) as shown:
        shown.finished("a")
        shown.finished("b")
    assert capsys.readouterr().err == ""
