"""How far an extraction is, on standard error: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from ner_head.base.runtime import Show

SECONDS_BETWEEN_LINES = 5.0


class Progress(Protocol):
    """Told of every finished shard."""

    def advance(self, n_pieces: int) -> None:
        """A shard of so many pieces is finished."""

    def close(self) -> None:
        """No more will come."""


class Silent:
    """Says nothing."""

    def advance(self, n_pieces: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Lines:
    """Lines now and then: shards left, pieces a second, time left."""

    def __init__(self, n_missing: int, n_pieces: int) -> None:
        self.total, self.done, self.left = n_pieces, 0, n_missing
        self.start = self.shown = time.monotonic()

    def advance(self, n_pieces: int) -> None:
        """Count; say so every few seconds, and at the end."""
        self.done += n_pieces
        self.left -= 1
        now = time.monotonic()
        if self.left and now - self.shown < SECONDS_BETWEEN_LINES:
            return
        self.shown = now
        rate = self.done / max(now - self.start, 1e-9)
        seconds = (self.total - self.done) / rate
        print(f"{self.left} shards left, {rate:,.0f} pieces/s, {seconds:,.0f} s to go", file=sys.stderr)

    def close(self) -> None:
        """Nothing."""


class Bar:
    """A bar with shards, pieces a second and the time left."""

    def __init__(self, n_missing: int, n_pieces: int) -> None:
        from rich import progress
        from rich.console import Console

        self.left = n_missing
        self.bar = progress.Progress(
            progress.TextColumn("{task.fields[left]} shards left"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("pieces, {task.fields[rate]:,.0f}/s"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task("", total=n_pieces, left=n_missing, rate=0.0)
        self.start = time.monotonic()
        self.bar.start()

    def advance(self, n_pieces: int) -> None:
        """Move the bar."""
        self.left -= 1
        task = self.bar.tasks[0]
        rate = (task.completed + n_pieces) / max(time.monotonic() - self.start, 1e-9)
        self.bar.update(self.task, advance=n_pieces, left=self.left, rate=rate)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.bar.stop()


def start_progress(show: Show, *, n_shards: int, n_missing: int, n_pieces: int) -> Progress:
    """Say what there is to do, and return who is told how it goes."""
    if show == "none":
        return Silent()
    print(f"{n_shards} shards, {n_missing} to compute: {n_pieces:,} pieces", file=sys.stderr)
    if not n_missing:
        return Silent()
    return Bar(n_missing, n_pieces) if show == "auto" and sys.stderr.isatty() else Lines(n_missing, n_pieces)
