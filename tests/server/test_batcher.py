"""The queue: order, batches, dropped requests, faults."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from ner_head.corpus.documents import Document
from ner_head.server.batcher import Batcher, Job
from ner_head.server.limits import Limits
from ner_head.server.refusal import Refusal


class Gate:
    """A model that waits before each batch until it may go on, and records the batches."""

    def __init__(self) -> None:
        self.started, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.batches: list[list[str]] = []
        self.n_best: list[int] = []

    def __call__(self, documents: Sequence[Document], *, n_best: int = 1) -> list[Document]:
        self.started.release()
        assert self.go.acquire(timeout=10)
        texts = [document.text for document in documents]
        self.batches.append(texts)
        self.n_best.append(n_best)
        if "fault" in texts:
            raise RuntimeError("a fault")
        return list(documents)


@contextmanager
def batcher(gate: Gate, **limits: int) -> Iterator[Batcher]:
    found = Batcher(gate, Limits(**limits))
    try:
        yield found
    finally:
        gate.go.release(1000)
        found.close()


def submit(queue: Batcher, *texts: str, n_best: int = 1) -> Job:
    return queue.submit([Document(id=text, text=text) for text in texts], n_best=n_best)


def texts(job: Job) -> list[str]:
    return [document.text for document in job.future.result(timeout=10)]


def test_requests_that_wait_are_computed_together_and_each_gets_its_own_results() -> None:
    gate = Gate()
    with batcher(gate) as queue:
        first = submit(queue, "a")
        assert gate.started.acquire(timeout=10)
        others = [submit(queue, "b", "c"), submit(queue, "d"), submit(queue, "e")]
        gate.go.release(10)
        assert [texts(job) for job in [first, *others]] == [["a"], ["b", "c"], ["d"], ["e"]]
    assert gate.batches == [["a"], ["b", "c", "d", "e"]]
    assert (queue.texts, queue.characters, queue.batches, queue.computed) == (0, 0, 2, 5)


def test_requests_for_other_numbers_of_readings_are_in_other_batches() -> None:
    gate = Gate()
    with batcher(gate) as queue:
        first = submit(queue, "a")
        assert gate.started.acquire(timeout=10)
        others = [submit(queue, text, n_best=n) for text, n in (("b", 3), ("c", 1), ("d", 3), ("e", 2))]
        gate.go.release(10)
        assert [texts(job) for job in [first, *others]] == [["a"], ["b"], ["c"], ["d"], ["e"]]
    assert gate.batches == [["a"], ["b", "d"], ["c"], ["e"]]
    assert gate.n_best == [1, 3, 1, 2]
    assert (queue.texts, queue.characters) == (0, 0)


def test_a_long_request_does_not_delay_a_short_one_to_its_end() -> None:
    gate = Gate()
    with batcher(gate, batch_texts=2) as queue:
        first = submit(queue, "a")
        assert gate.started.acquire(timeout=10)
        long, short = submit(queue, "b", "c", "d", "e", "f"), submit(queue, "g")
        gate.go.release(10)
        assert texts(first) == ["a"]
        assert texts(long) == ["b", "c", "d", "e", "f"]
        assert texts(short) == ["g"]
    assert gate.batches == [["a"], ["b", "c"], ["g", "d"], ["e", "f"]]


def test_a_batch_has_few_characters_but_at_least_one_text() -> None:
    gate = Gate()
    with batcher(gate, batch_characters=5) as queue:
        first = submit(queue, "a")
        assert gate.started.acquire(timeout=10)
        jobs = [submit(queue, "123456789"), submit(queue, "abc"), submit(queue, "de"), submit(queue, "f")]
        gate.go.release(10)
        assert [texts(job) for job in [first, *jobs]] == [["a"], ["123456789"], ["abc"], ["de"], ["f"]]
    assert gate.batches == [["a"], ["123456789"], ["abc", "de"], ["f"]]


def test_a_cancelled_request_is_not_computed_and_leaves_the_queue_at_once() -> None:
    gate = Gate()
    with batcher(gate) as queue:
        first = submit(queue, "a")
        assert gate.started.acquire(timeout=10)
        gone, kept = submit(queue, "b", "c"), submit(queue, "d")
        assert gone.future.cancel()
        assert (queue.texts, queue.characters, queue.dropped) == (1, 1, 2)
        gate.go.release(10)
        assert texts(first) + texts(kept) == ["a", "d"]
    assert gate.batches == [["a"], ["d"]]


def test_a_request_that_is_cancelled_half_way_is_computed_no_further() -> None:
    gate = Gate()
    with batcher(gate, batch_texts=1) as queue:
        long = submit(queue, "a", "b", "c")
        assert gate.started.acquire(timeout=10)
        assert long.future.cancel()
        short = submit(queue, "d")
        gate.go.release(10)
        assert texts(short) == ["d"]
    assert gate.batches == [["a"], ["d"]]


def test_only_the_faulty_request_of_a_batch_fails() -> None:
    gate = Gate()
    with batcher(gate) as queue:
        first = submit(queue, "a")
        assert gate.started.acquire(timeout=10)
        before, faulty, after = submit(queue, "b"), submit(queue, "fault"), submit(queue, "c")
        gate.go.release(10)
        assert texts(first) + texts(before) + texts(after) == ["a", "b", "c"]
        with pytest.raises(RuntimeError, match="a fault"):
            faulty.future.result(timeout=10)
        assert texts(submit(queue, "d")) == ["d"]


def test_a_fault_ends_the_rest_of_its_request() -> None:
    gate = Gate()
    with batcher(gate, batch_texts=1) as queue:
        gate.go.release(10)
        with pytest.raises(RuntimeError, match="a fault"):
            submit(queue, "a", "fault", "b").future.result(timeout=10)
        assert texts(submit(queue, "c")) == ["c"]
    assert gate.batches == [["a"], ["fault"], ["c"]]
    assert queue.texts == 0


@pytest.mark.parametrize("limits", [{"queue_texts": 2}, {"queue_characters": 2}])
def test_a_full_queue_refuses_and_says_when_to_come_back(limits: dict[str, int]) -> None:
    gate = Gate()
    with batcher(gate, **limits) as queue:
        submit(queue, "a")
        assert gate.started.acquire(timeout=10)
        submit(queue, "b", "c")
        with pytest.raises(Refusal, match="2 texts wait already; try again in 2 s") as refusal:
            submit(queue, "d")
        assert refusal.value.status_code == 429
        assert refusal.value.headers == {"Retry-After": "2"}


def test_closing_computes_what_waits_and_refuses_what_comes() -> None:
    gate = Gate()
    with batcher(gate) as queue:
        jobs = [submit(queue, "a"), submit(queue, "b")]
        gate.go.release(10)
        queue.close()
        assert [texts(job) for job in jobs] == [["a"], ["b"]]
        with pytest.raises(Refusal, match="the server stops"):
            submit(queue, "c")


def test_a_request_without_texts_has_its_answer_at_once() -> None:
    with batcher(Gate()) as queue:
        assert texts(submit(queue)) == []
