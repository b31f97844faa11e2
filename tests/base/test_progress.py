"""What a progress display prints."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from ner_head.base.progress import Progress, open_progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""
    now = [100.0]
    monkeypatch.setattr("ner_head.base.progress.time.monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def work(display: Progress, wait: Callable[[float], None]) -> None:
    """8 units in 4 steps of 3 seconds each."""
    with display:
        display.line("8 units")
        display.begin("4 steps left", 8)
        for step in range(1, 5):
            wait(3)
            display.update(2 * step, description=f"{4 - step} steps left")
        display.line("done [b]")


def test_lines_keep_their_distance(clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    work(open_progress("lines", "units", seconds=5), clock)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "8 units",
        "2 steps left: 4 of 8 units, 0.7 units/s, 0:00:06 left",
        "0 steps left: 8 of 8 units, 0.7 units/s, 0:00:00 left",
        "done [b]",
    ]


def test_where_there_is_no_terminal_auto_is_lines(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    work(open_progress("auto", "units", seconds=60), clock)
    assert capsys.readouterr().err.splitlines() == ["8 units", "done [b]"]


def test_none_is_nothing(clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    work(open_progress("none", "units", seconds=0), clock)
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_bar_below_the_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work(open_progress("auto", "units", seconds=5), clock)
    shown = capsys.readouterr().err
    assert "8 units" in shown
    assert "0 steps left" in shown
    assert "8/8" in shown
    assert "done [b]" in shown


def test_a_count_begins_again(clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    with open_progress("lines", "steps", seconds=0) as display:
        for epoch in (1, 2):
            display.begin(f"epoch {epoch}/2", 4)
            clock(2)
            display.update(1)
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/2: 1 of 4 steps, 0.5 steps/s, 0:00:06 left",
        "epoch 2/2: 1 of 4 steps, 0.5 steps/s, 0:00:06 left",
    ]
