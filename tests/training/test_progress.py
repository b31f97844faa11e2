"""Who is told how a training run goes, and what of it is seen."""

from __future__ import annotations

import sys

import pytest

from ner_head.base.runtime import Show
from ner_head.training import progress
from ner_head.training.state import Epoch

EPOCH = Epoch(epoch=1, loss=2.5, dev_f1=0.5, seconds=3.0)


@pytest.mark.parametrize(
    ("show", "scored", "seen"),
    [
        ("lines", True, "epoch 1/2: loss 2.500, dev F1 0.500, 3.0 s\n"),
        ("auto", False, "epoch 1/2: loss 2.500, 3.0 s\n"),
        ("none", True, ""),
    ],
)
def test_an_epoch_is_a_line_where_there_is_no_terminal(
    show: Show, scored: bool, seen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher = progress.start_watching(show, 2, scored=scored)
    watcher.step(1, 4)
    watcher.epoch(EPOCH)
    watcher.close()
    assert capsys.readouterr().err == seen


def test_a_run_that_goes_on_says_so_and_does_not_tell_its_epochs_again(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = progress.start_watching("lines", 2, scored=True)
    watcher.resume(EPOCH)
    watcher.epoch(EPOCH.model_copy(update={"epoch": 2}))
    watcher.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "goes on after epoch 1/2, where it was interrupted",
        "epoch 2/2: loss 2.500, dev F1 0.500, 3.0 s",
    ]


def test_a_long_epoch_tells_of_its_steps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    progress.start_watching("lines", 2, scored=True).step(1, 4)
    assert capsys.readouterr().err == "epoch 1/2: 1 of 4 steps\n"


def test_a_terminal_shows_a_bar_below_the_epochs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    watcher = progress.start_watching("auto", 2, scored=True)
    watcher.step(1, 4)
    watcher.epoch(EPOCH)
    watcher.close()
    shown = capsys.readouterr().err
    assert "epoch 1/2: loss 2.500, dev F1 0.500, 3.0 s" in shown
    assert "epoch 2/2" in shown


def test_a_bar_of_a_run_that_goes_on_begins_at_its_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    watcher = progress.start_watching("auto", 3, scored=True)
    watcher.resume(EPOCH.model_copy(update={"epoch": 2}))
    watcher.close()
    shown = capsys.readouterr().err
    assert "goes on after epoch 2/3, where it was interrupted" in shown
    assert "epoch 3/3" in shown
