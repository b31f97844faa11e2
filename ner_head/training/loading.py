"""Prefetching: the next batches are prepared while the current one trains."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
DEPTH = 3  # batches


def prefetch(items: Iterable[T], *, depth: int = DEPTH) -> Iterator[T]:
    """Iterate over items that a background thread computes in advance.

    The order is kept. An exception of the iterable is raised at the position of its item. The thread ends with the
    iteration, also if the consumer stops early.

    Args:
        items: Items, computed lazily.
        depth: Number of items that wait at most.
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
        except BaseException as raised:  # of any kind: it is raised in the consumer's thread
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
    """Marks the end of the items; holds the exception that ended them, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
