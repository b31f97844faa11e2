"""Section `runtime`: where and how a stage runs. No stage depends on it: it changes no result beyond the last bits."""

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
    """Device of torch. `auto` is CUDA if available, then Apple's MPS, then the CPU."""
    threads: int = Field(default=0, ge=0)
    """Number of CPU threads of torch; 0 is torch's default, or an equal share of the cores for each worker."""
    batch_pieces: int = Field(default=1024, ge=16)
    """Number of word pieces in one pass of the encoder, including padding. On a GPU, 8192 is faster."""
    workers: int = Field(default=1, ge=1)
    """Number of processes that extract features; 1 extracts in the stage's own process, without Dask."""
    scheduler: str = ""
    """Address of a Dask scheduler (tcp://host:port) whose workers extract instead. They need access to the pool."""
    preload: Preload = "auto"
    """Where training keeps features in memory. `auto` is the device for a GPU with enough memory, else none."""
    progress: Show = "auto"
    """How progress is shown. `auto` is a bar on a terminal and lines elsewhere."""
    pool: str = "data/pool"
    """Folder of finished shards, named by their content. It is kept between runs and not tracked by DVC."""

    def start(self) -> torch.device:
        """Set the number of torch's threads, and return the device.

        Raises:
            UsageError: the device is not available.
        """
        import torch  # reading params must not import torch

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
    """Make forked processes compute on one thread.

    A fork copies only the calling thread, so that a child would wait forever for the other threads of OpenMP. It may
    raise the number with `torch.set_num_threads` if its parent has not computed before the fork.
    """
    import torch

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
