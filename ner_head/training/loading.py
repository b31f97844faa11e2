"""The next batches, prepared while this one trains."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
DEPTH = 3  # batches ahead


def ahead(items: Iterable[T], *, depth: int = DEPTH) -> Iterator[T]:
    """The same items in the same order, made by a thread that runs up to `depth` of them ahead.

    What making one raises is raised here, where it would have come. The thread ends with the iteration, also when
    that is left early.
    """
    ready: queue.Queue[T | _End] = queue.Queue(depth)
    left = threading.Event()

    def put(item: T | _End) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as raised:  # the one who waits has to hear of it, whatever it is
            error = raised
        put(_End(error))

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        left.set()
        thread.join()


class _End:
    """Behind the last item: what went wrong, if anything did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
