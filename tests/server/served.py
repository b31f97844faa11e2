"""A server with a stand-in for the model in a process of its own, and a request to it."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT
from tests.server import service

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
SECONDS = 60.0  # for whatever should happen soon, on a busy machine


class Served:
    """A server in a process of its own, forked from one that has imported everything; a new one takes seconds."""

    def __init__(self, options: list[str], folder: Path) -> None:
        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(["tests.server.service"])
        paths = [folder / "stdout", folder / "stderr"]
        for path in paths:
            path.touch()
        self.stdout, self.stderr = (path.open(encoding="utf-8") for path in paths)
        self.process = forks.Process(target=service.main, args=(options, *map(str, paths)), daemon=True)
        self.process.start()

    def url(self) -> str:
        """Wait for the line with the URL."""
        line = ""
        while not line.endswith("\n"):
            assert self.poll() is None
            time.sleep(0.01)
            line += self.stdout.readline()
        return line.strip()

    def send_signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def wait(self, seconds: float) -> int:
        self.process.join(seconds)
        assert self.process.exitcode is not None
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.stdout.close()
        self.stderr.close()


@contextmanager
def serving(seconds: float = 0.0, **limits: object) -> Iterator[tuple[Served, str]]:
    """A server with a stand-in for the model, and its URL."""
    options = [f"--{name}={value}" for name, value in {"seconds": seconds, **limits}.items()]
    with tempfile.TemporaryDirectory() as folder:
        served = Served(options, Path(folder))
        try:
            yield served, served.url()
        finally:
            served.close()


def post(url: str, text: str, **options: Any) -> httpx.Response:
    return httpx.post(f"{url}/predict", json={"text": text}, timeout=SECONDS, **options)
