"""Stores in forked and spawned processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ner_head.features.store import digests
from ner_head.features.store.store import FeatureStore


def total(store: FeatureStore) -> float:
    return sum(float(store[name].hidden.astype(np.float64).sum()) for name in store)


def in_a_fork(work: Callable[[], object]) -> object:
    """What `work` gives in a forked child, as JSON; fails where the child does not answer."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    for _ in range(300):
        if os.waitpid(child, os.WNOHANG)[0]:
            with os.fdopen(reading, "rb") as answer:
                return json.loads(answer.read())
        time.sleep(0.1)
    os.kill(child, 9)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")


def test_a_process_forked_while_digests_are_computed_reads_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = total(FeatureStore.open(folder))  # before its thread would wait as well
    store, going, real = FeatureStore.open(folder), threading.Event(), digests.digest_of
    parent, waits = os.getpid(), threading.Event()

    def slow(path: Path) -> str:
        if threading.current_thread().name == "digests" and os.getpid() == parent:
            going.set()
            waits.wait(60)
        return real(path)

    monkeypatch.setattr(digests, "digest_of", slow)
    last = len(store.manifest.shards) - 1
    store.shard(last)  # starts the thread, which never comes beyond the first shard
    assert going.wait(10)
    with store._digests._claims.lock:  # held for ever, as the child sees it
        assert in_a_fork(lambda: total(store)) == pytest.approx(expected)
    waits.set()
    assert total(store) == expected


def test_children_of_children_read_on(folder: Path) -> None:
    store = FeatureStore.open(folder)
    expected = total(FeatureStore.open(folder))
    assert in_a_fork(lambda: in_a_fork(lambda: total(store))) == pytest.approx(expected)


def test_a_store_travels_to_a_spawned_process(folder: Path) -> None:
    store = FeatureStore.open(folder).for_epoch(1)
    expected = total(store)
    with multiprocessing.get_context("spawn").Pool(1) as workers:
        assert workers.apply(total, (store,)) == expected
    copy = pickle.loads(pickle.dumps(store))
    assert not copy._shards
    assert total(copy) == expected
