"""A CPU or a GPU that a benchmark runs on, and how to time it."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Machine:
    """A device and how to time it."""

    def __init__(self, name: str) -> None:
        self.device = torch.device(name)
        self.cuda = self.device.type == "cuda"

    def wait(self) -> None:
        """Until all that was asked is done."""
        if self.cuda:
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any]) -> float:
        """Of some work, to its end."""
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start

    def milliseconds(self, work: Callable[[], Any], repeats: int = 20) -> float:
        """The median of some calls."""
        work()
        return 1e3 * statistics.median(self.seconds(work) for _ in range(repeats))

    @contextmanager
    def peak(self) -> Iterator[list[float]]:
        """GB of the GPU's memory that were allocated at most; 0 elsewhere."""
        found = [0.0]
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        yield found
        if self.cuda:
            found[0] = torch.cuda.max_memory_allocated() / 1e9

    @contextmanager
    def questions(self) -> Iterator[list[str]]:
        """The host's waits for the GPU."""
        found: list[str] = []
        if self.cuda:
            torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield found
        if self.cuda:
            torch.cuda.set_sync_debug_mode("default")
        found += [str(warning.message) for warning in caught if "synchroniz" in str(warning.message)]
