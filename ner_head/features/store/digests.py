"""Digests of files, computed ahead of those who ask for them."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ner_head.base.errors import system_error
from ner_head.base.files import digest_of


@dataclass
class Claims:
    """Which digests a process computes or has computed."""

    process: int
    futures: dict[int, Future[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None


class DigestsAhead:
    """SHA-256 of some files, each once: at once for whoever asks, ahead of time in a background thread."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._found: dict[int, str] = {}
        self._claims = Claims(os.getpid())

    def of(self, number: int) -> str:
        """The digest of a file; the first call starts the thread.

        Raises:
            DataError: it is absent or cannot be opened.
            ResourceError: the machine is at a limit, or fails to read it.
        """
        if self._claims.process != os.getpid():
            # forked: the parent's thread is not here, and its lock may be held for ever
            self._claims = Claims(os.getpid())
        claims = self._claims
        with claims.lock:
            if claims.thread is None and len(self._paths) > 1:
                # a daemon: nobody waits for digests that nobody asked for
                claims.thread = threading.Thread(target=self._run_ahead, args=(claims,), name="digests", daemon=True)
                with suppress(RuntimeError):  # no more threads: each digest is computed when it is asked for
                    claims.thread.start()
        try:
            return self._compute(number, claims)
        except OSError as error:
            raise system_error(error, self._paths[number], mend="run `dvc repro extract`") from None

    def _run_ahead(self, claims: Claims) -> None:
        for number in range(len(self._paths)):
            with suppress(OSError):  # whoever asks for it tries again
                self._compute(number, claims)

    def _compute(self, number: int, claims: Claims) -> str:
        if number in self._found:
            return self._found[number]
        with claims.lock:
            waiting = claims.futures.get(number)
            future = claims.futures.setdefault(number, Future())
        if waiting is not None:
            try:
                return waiting.result()
            except OSError:
                return self._compute(number, claims)  # the other thread's failure may have been a passing one
        try:
            self._found[number] = digest_of(self._paths[number])
        except BaseException as error:  # those who wait have to hear of it, whatever it is
            with claims.lock:
                del claims.futures[number]
            future.set_exception(error)
            raise
        future.set_result(self._found[number])
        return self._found[number]
