"""How far a training run is, on standard error: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time

from ner_head.base.runtime import Show
from ner_head.training.state import Epoch

SECONDS_BETWEEN_LINES = 30.0


class Watcher:
    """Told of a run's progress; this one says nothing."""

    def step(self, done: int, n_steps: int) -> None:
        """So many of an epoch's steps are done."""

    def resume(self, last: Epoch) -> None:
        """An interrupted run goes on after this epoch."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is over."""

    def close(self) -> None:
        """No more will come."""


class Lines(Watcher):
    """A line per epoch, and now and then one inside of a long epoch."""

    def __init__(self, n_epochs: int, *, scored: bool) -> None:
        self.n_epochs, self.scored, self.number, self.shown = n_epochs, scored, 1, time.monotonic()

    def step(self, done: int, n_steps: int) -> None:
        """Say so every half minute."""
        if time.monotonic() - self.shown >= SECONDS_BETWEEN_LINES:
            self.shown = time.monotonic()
            print(f"epoch {self.number}/{self.n_epochs}: {done} of {n_steps} steps", file=sys.stderr)

    def resume(self, last: Epoch) -> None:
        """Say so."""
        self.number, self.shown = last.epoch + 1, time.monotonic()
        print(_resumed(last, self.n_epochs), file=sys.stderr)

    def epoch(self, epoch: Epoch) -> None:
        """Loss, score and time."""
        self.number, self.shown = epoch.epoch + 1, time.monotonic()
        print(_line(epoch, self.n_epochs, scored=self.scored), file=sys.stderr)


class Bar(Watcher):
    """A bar for the epoch that runs, below the lines of those that ended."""

    def __init__(self, n_epochs: int, *, scored: bool) -> None:
        from rich import progress
        from rich.console import Console

        self.n_epochs, self.scored = n_epochs, scored
        self.bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("steps"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task(f"epoch 1/{n_epochs}", total=None)
        self.bar.start()

    def step(self, done: int, n_steps: int) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=done, total=n_steps)

    def resume(self, last: Epoch) -> None:
        """A line above."""
        self._above(_resumed(last, self.n_epochs), last)

    def epoch(self, epoch: Epoch) -> None:
        """A line above, and the bar from the start."""
        self._above(_line(epoch, self.n_epochs, scored=self.scored), epoch)

    def _above(self, line: str, last: Epoch) -> None:
        self.bar.console.print(line, highlight=False)
        if last.epoch < self.n_epochs:
            self.bar.reset(self.task, description=f"epoch {last.epoch + 1}/{self.n_epochs}")

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.bar.stop()


def _line(epoch: Epoch, n_epochs: int, *, scored: bool) -> str:
    score = f", dev F1 {epoch.dev_f1:.3f}" if scored else ""
    return f"epoch {epoch.epoch}/{n_epochs}: loss {epoch.loss:.3f}{score}, {epoch.seconds:.1f} s"


def _resumed(last: Epoch, n_epochs: int) -> str:
    return f"goes on after epoch {last.epoch}/{n_epochs}, where it was interrupted"


def start_watching(show: Show, n_epochs: int, *, scored: bool) -> Watcher:
    """Who is told how a run goes; `scored`: it has dev documents, and their F1 is told too."""
    if show == "none":
        return Watcher()
    kind = Bar if show == "auto" and sys.stderr.isatty() else Lines
    return kind(n_epochs, scored=scored)
