"""SHA-256 of files, computed in the background before they are needed."""

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
    """Digests that a process computes or has computed, by the number of the file."""

    process: int
    futures: dict[int, Future[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None


class DigestsAhead:
    """SHA-256 of some files, each computed once: on demand, or before that by a background thread."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._found: dict[int, str] = {}
        self._claims = Claims(os.getpid())

    def of(self, number: int) -> str:
        """Digest of a file; the first call starts the thread.

        Raises:
            DataError: the file does not exist or cannot be opened.
            ResourceError: the system has run out of a resource, or failed to read the file.
        """
        if self._claims.process != os.getpid():
            # after a fork the parent's thread does not exist, and its lock may never be released
            self._claims = Claims(os.getpid())
        claims = self._claims
        with claims.lock:
            if claims.thread is None and len(self._paths) > 1:
                # a daemon, so that the process may end before all digests are computed
                claims.thread = threading.Thread(target=self._run_ahead, args=(claims,), name="digests", daemon=True)
                with suppress(RuntimeError):  # no thread available: each digest is computed on demand
                    claims.thread.start()
        try:
            return self._compute(number, claims)
        except OSError as error:
            raise system_error(error, self._paths[number], mend="run `dvc repro extract`") from None

    def _run_ahead(self, claims: Claims) -> None:
        for number in range(len(self._paths)):
            with suppress(OSError):  # computed again on demand
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
                return self._compute(number, claims)  # the other thread's error may have been temporary
        try:
            self._found[number] = digest_of(self._paths[number])
        except BaseException as error:  # raised in all threads that wait for this digest
            with claims.lock:
                del claims.futures[number]
            future.set_exception(error)
            raise
        future.set_result(self._found[number])
        return self._found[number]
