"""Progress of a training run: lines, or a bar on a terminal."""

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
    shown = progress.show_training(show, 2, scored=scored)
    shown.start_epoch(1, 4)
    shown.step(1)
    shown.epoch(EPOCH)
    shown.close()
    assert capsys.readouterr().err == seen


def test_a_resumed_run_says_so_and_does_not_repeat_its_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    shown = progress.show_training("lines", 2, scored=True)
    shown.resume(EPOCH)
    shown.epoch(EPOCH.model_copy(update={"epoch": 2}))
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["resuming after epoch 1/2", "epoch 2/2: loss 2.500, dev F1 0.500, 3.0 s"]


def test_a_long_epoch_has_lines_of_its_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    shown = progress.show_training("lines", 2, scored=True)
    shown.start_epoch(2, 4)
    shown.step(1)
    assert capsys.readouterr().err.startswith("epoch 2/2: 1 of 4 steps, ")


def test_a_terminal_shows_a_bar_below_the_epochs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = progress.show_training("auto", 3, scored=True)
    shown.resume(EPOCH)
    shown.start_epoch(2, 4)
    shown.step(3)
    shown.epoch(EPOCH.model_copy(update={"epoch": 2}))
    shown.start_epoch(3, 4)
    shown.close()
    seen = capsys.readouterr().err
    assert "resuming after epoch 1/3" in seen
    assert "epoch 2/3: loss 2.500, dev F1 0.500, 3.0 s" in seen
    assert "epoch 3/3" in seen
    assert "0/4" in seen
