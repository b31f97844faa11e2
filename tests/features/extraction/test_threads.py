"""The number of torch's threads while the encoder runs, and after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ner_head.features.extraction.encoder import Encoder


def of_process() -> int:
    """What a thread gets that has not used torch yet."""
    with ThreadPoolExecutor(1) as fresh:
        return fresh.submit(torch.get_num_threads).result()


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def in_threads(*functions: Callable[[], None]) -> None:
    threads = [threading.Thread(target=function, daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_the_encoder_runs_on_one_thread_each_and_leaves_the_number_as_it_was(encoder: Encoder) -> None:
    with encoder.threads() as pool:
        assert pool.submit(torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == of_process() == 2


def test_two_callers_at_once_leave_the_number_as_it_was(encoder: Encoder) -> None:
    inside, seen = threading.Event(), list[int]()

    def first() -> None:
        with encoder.threads():
            inside.set()
            threading.Event().wait(0.2)  # the other one is waiting by now
        seen.append(torch.get_num_threads())

    def second() -> None:
        inside.wait()
        torch.zeros(2) + 1  # torch is used while the first caller has it on one thread
        torch.get_num_threads()
        with encoder.threads() as pool:
            assert pool._max_workers == 2
        seen.append(torch.get_num_threads())

    in_threads(first, second)
    assert seen == [2, 2]
    assert of_process() == 2


def test_a_caller_that_fails_leaves_the_number_as_it_was(encoder: Encoder) -> None:
    with pytest.raises(KeyError), encoder.threads():
        raise KeyError
    assert of_process() == 2
    in_threads(lambda: encoder.encode([], batch_pieces=16) and None)
