from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from ner_head.training.loading import prefetch


def test_items_come_in_their_order_and_all_of_them() -> None:
    assert list(prefetch(range(50))) == list(range(50))
    assert list(prefetch([])) == []


def test_items_are_made_before_they_are_asked_for() -> None:
    made: list[int] = []
    items = prefetch((made.append(i) or i for i in range(10)), depth=2)
    assert next(items) == 0
    limit = time.monotonic() + 5
    while len(made) < 3 and time.monotonic() < limit:
        time.sleep(0.01)
    assert len(made) >= 3
    time.sleep(0.05)
    assert len(made) <= 4  # two wait, and one is being put
    items.close()


def test_an_error_comes_where_its_item_would_have() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no more"):
        next(items)


def test_leaving_early_ends_the_thread() -> None:
    for item in prefetch(iter(int, 1)):
        assert item == 0
        break
    assert not [thread for thread in threading.enumerate() if thread.name == "batches"]
