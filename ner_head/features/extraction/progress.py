"""Progress of an extraction, counted in word pieces."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from ner_head.base.progress import open_progress
from ner_head.base.runtime import Show

SECONDS_BETWEEN_LINES = 5.0


class ShardProgress:
    """Progress of an extraction on standard error. A context manager."""

    def __init__(self, show: Show, *, n_shards: int, pieces: dict[str, int]) -> None:
        """Print what there is to compute.

        Args:
            show: how progress is shown.
            n_shards: number of shards of the store.
            pieces: number of word pieces of each shard that has to be computed, by its key.
        """
        self._pieces, self._total = pieces, sum(pieces.values())
        self._done = 0
        self._left = len(pieces)
        self._start = time.monotonic()
        self._display = open_progress(show, "pieces", seconds=SECONDS_BETWEEN_LINES)
        self._display.line(f"{n_shards} shards, {self._left} to compute: {self._total:,} pieces")
        if pieces:
            self._display.begin(self._description, self._total)

    @property
    def _description(self) -> str:
        return f"{self._left} shards left"

    def finished(self, key: str) -> None:
        """Count a shard that was computed."""
        self._done += self._pieces[key]
        self._left -= 1
        self._display.update(self._done, description=self._description)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Print the rate where all shards were computed, and close the display."""
        if self._pieces and not self._left:
            seconds = time.monotonic() - self._start
            rate = self._done / max(seconds, 1e-9)
            self._display.line(
                f"{len(self._pieces)} shards computed in {seconds:,.0f} s: {self._done:,} pieces, {rate:,.0f} pieces/s"
            )
        self._display.close()
