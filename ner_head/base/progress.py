"""Progress of counted work on standard error: a bar of rich on a terminal, lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Self

from ner_head.base.runtime import Show


class Progress:
    """A progress display that shows nothing; its subclasses show a bar or lines.

    As a context manager it closes itself.
    """

    def begin(self, description: str, total: int) -> None:
        """Start to count from 0 to `total`, with a description of the work. May be called again."""

    def update(self, completed: int, *, description: str | None = None) -> None:
        """Set the number of completed units, and optionally a new description."""

    def line(self, text: str) -> None:
        """Print a line that stays; a bar moves below it."""

    def close(self) -> None:
        """Remove the bar."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class ProgressLines(Progress):
    """Progress as lines: one at most every `seconds`, so that logs stay short."""

    def __init__(self, unit: str, *, seconds: float) -> None:
        self.unit, self.seconds = unit, seconds
        self.description, self.total = "", 0
        self.start = self.shown = time.monotonic()

    def begin(self, description: str, total: int) -> None:
        """Start to count; prints nothing."""
        self.description, self.total = description, total
        self.start = self.shown = time.monotonic()

    def update(self, completed: int, *, description: str | None = None) -> None:
        """Print the counts, the rate and the estimated time left, unless a line was printed less than `seconds` ago."""
        self.description = description or self.description
        now = time.monotonic()
        if not completed or now - self.shown < self.seconds:
            return
        self.shown = now
        rate = completed / max(now - self.start, 1e-9)
        left = timedelta(seconds=round((self.total - completed) / rate))
        self._print(
            f"{self.description}: {completed:,} of {self.total:,} {self.unit}, {rate:,.1f} {self.unit}/s, {left} left"
        )

    def line(self, text: str) -> None:
        """Print a line."""
        self.shown = time.monotonic()
        self._print(text)

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class ProgressBar(Progress):
    """Progress as a bar on a terminal, drawn by rich."""

    def __init__(self, unit: str) -> None:
        from rich import progress
        from rich.console import Console

        self.bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn(f"{unit}, {{task.fields[rate]:,.1f}}/s"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=600,  # seconds; one step of the work may take minutes
        )
        self.task = self.bar.add_task("", total=None, rate=0.0)

    def begin(self, description: str, total: int) -> None:
        """Show the bar, at 0."""
        self.bar.start()
        self.bar.reset(self.task, total=total, description=description, rate=0.0)

    def update(self, completed: int, *, description: str | None = None) -> None:
        """Move the bar."""
        rate = completed / max(self.bar.tasks[0].elapsed or 0.0, 1e-9)
        self.bar.update(self.task, completed=completed, description=description, rate=rate)

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self.bar.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        """Stop drawing, so that the terminal is as it was."""
        self.bar.stop()


def open_progress(show: Show, unit: str, *, seconds: float) -> Progress:
    """A progress display.

    Args:
        show: `auto` is a bar on a terminal and lines elsewhere; `lines` is lines always; `none` is nothing.
        unit: plural name of what is counted, such as "pieces".
        seconds: shortest time between two lines of counts.
    """
    if show == "none":
        return Progress()
    return ProgressBar(unit) if show == "auto" and sys.stderr.isatty() else ProgressLines(unit, seconds=seconds)
