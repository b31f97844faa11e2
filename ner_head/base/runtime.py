"""Where and how a stage runs. Tracked by no stage: nothing here changes a result beyond its last bits."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ner_head.base.errors import UsageError
from ner_head.base.params import Params

if TYPE_CHECKING:
    import torch

Show = Literal["auto", "lines", "none"]
Preload = Literal["auto", "none", "ram", "device"]


class RuntimeParams(Params):
    """Section `runtime`."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` is CUDA, then Apple's MPS, then the CPU."""
    threads: int = Field(default=0, ge=0)
    """CPU threads of torch; 0 leaves torch's own choice, or shares the cores among the workers."""
    batch_pieces: int = Field(default=1024, ge=16)
    """Pieces in one pass of the encoder, padding included: caches of a CPU like few, a GPU likes 8192."""
    workers: int = Field(default=1, ge=1)
    """Processes that extract; 1 is the stage's own, without Dask."""
    scheduler: str = ""
    """Address of a Dask scheduler (tcp://host:port) whose workers extract instead; they have to reach the pool."""
    preload: Preload = "auto"
    """Features that training keeps in memory: on a GPU where they fit, none elsewhere (the system caches files)."""
    progress: Show = "auto"
    """A bar on a terminal and lines elsewhere, lines always, or nothing."""
    pool: str = "data/pool"
    """Finished shards, by content; kept between runs, outside of what DVC tracks."""

    def start(self) -> torch.device:
        """Set torch's threads and return the device.

        Raises:
            UsageError: the device asked for is not there.
        """
        import torch  # reading the params must not import it

        if self.threads:
            torch.set_num_threads(self.threads)
        available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if self.device == "auto":
            return torch.device("cuda" if available["cuda"] else "mps" if available["mps"] else "cpu")
        if not available[self.device]:
            raise UsageError(f"runtime.device: no {self.device} device on this machine; use auto or cpu")
        return torch.device(self.device)


@cache
def compute_alone_after_fork() -> None:
    """Let forked processes compute on one thread: a child would wait for OpenMP's other threads, which it lacks.

    It may still ask for more by `torch.set_num_threads`, where its parent has not computed before the fork.
    """
    import torch

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
