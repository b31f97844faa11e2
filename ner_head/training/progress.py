"""Progress of a training run on standard error: the steps of an epoch, and a line for each finished epoch."""

from __future__ import annotations

from ner_head.base.progress import Progress, open_progress
from ner_head.base.runtime import Show
from ner_head.training.state import Epoch

SECONDS_BETWEEN_LINES = 30.0


class TrainingCallback:
    """Callback of a training run. Its methods do nothing; subclasses override those that they need."""

    def start_epoch(self, number: int, n_steps: int) -> None:
        """Called before the first step of an epoch. Epochs are numbered from 1."""

    def step(self, done: int) -> None:
        """Called after each step with the number of finished steps of the epoch."""

    def epoch(self, epoch: Epoch) -> None:
        """Called after each epoch."""

    def resume(self, last: Epoch) -> None:
        """Called when an interrupted run is resumed, with the last finished epoch."""

    def close(self) -> None:
        """Called at the end of the run."""


class TrainingProgress(TrainingCallback):
    """Shows progress on a display.

    Args:
        display: Bar or lines.
        n_epochs: Number of epochs of the run.
        scored: Whether there are dev documents, so that the lines have their F1.
    """

    def __init__(self, display: Progress, n_epochs: int, *, scored: bool) -> None:
        self.display, self.n_epochs, self.scored = display, n_epochs, scored

    def start_epoch(self, number: int, n_steps: int) -> None:
        """Start to count the steps of an epoch."""
        self.display.begin(f"epoch {number}/{self.n_epochs}", n_steps)

    def step(self, done: int) -> None:
        """Show the number of finished steps."""
        self.display.update(done)

    def epoch(self, epoch: Epoch) -> None:
        """Print loss, dev F1 and time."""
        score = f", dev F1 {epoch.dev_f1:.3f}" if self.scored else ""
        seconds = f"{epoch.seconds:.1f} s"
        self.display.line(f"epoch {epoch.epoch}/{self.n_epochs}: loss {epoch.loss:.3f}{score}, {seconds}")

    def resume(self, last: Epoch) -> None:
        """Print that the run is resumed."""
        self.display.line(f"resuming after epoch {last.epoch}/{self.n_epochs}")

    def close(self) -> None:
        """Remove the display."""
        self.display.close()


def show_training(show: Show, n_epochs: int, *, scored: bool) -> TrainingProgress:
    """Progress of a run of `n_epochs`. `scored`: whether there are dev documents."""
    return TrainingProgress(open_progress(show, "steps", seconds=SECONDS_BETWEEN_LINES), n_epochs, scored=scored)
