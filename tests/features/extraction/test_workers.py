"""Extraction on Dask workers: the same bytes, killed or not, and an input that kills is named."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from distributed.diagnostics.plugin import WorkerPlugin

from ner_head.base.errors import DataError, NerHeadError, ResourceError, UsageError
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import segment
from ner_head.features.extraction import cluster as tasks
from ner_head.features.extraction import workers as module
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.workers import Workers
from ner_head.features.store.manifest import ShardRecord
from tests.features.documents import many

POISON = "jed"


class Poisoned(WorkerPlugin):
    """Makes a worker die of one word, and take its time with the others."""

    def setup(self, worker: object) -> None:
        real = module.encode_shard

        def encode(words: object, *args: object, **kwargs: object) -> bytes:
            if POISON in str(words):
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.1)
            return real(words, *args, **kwargs)

        module.encode_shard = encode


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of two workers that somebody else started."""
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1, "distributed.deploy.lost-worker-timeout": "2s"}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as local,
        Client(local, set_as_default=False) as client,
    ):
        local.adapt(minimum=2, maximum=2, interval="1s")
        client.register_plugin(Poisoned())
        yield local.scheduler_address


def run(documents: list[Document], encoder: Encoder, folder: Path, workers: Workers | None = None) -> list[ShardRecord]:
    found = extract(
        documents,
        encoder,
        encoder_name="x",
        shard_words=40,
        batch_pieces=64,
        pool=Pool(folder / "pool"),
        output=folder / "store",
        workers=workers or Workers(show="none"),
    )
    return list(found.shards)


def test_workers_killed_again_and_again_give_the_bytes_of_one_process(
    cluster: str, encoder: Encoder, tmp_path: Path
) -> None:
    documents = many(120)
    killed, stop = [], threading.Event()

    def kill() -> None:
        while len(killed) < 3 and not stop.wait(1.0):
            children = multiprocessing.active_children()  # the nannies live in this process, the workers are its own
            if children:
                killed.append(children[0].pid)
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        found = run(documents, encoder, tmp_path / "killed", Workers(scheduler=cluster, show="none"))
    finally:
        stop.set()
        killer.join()
    assert len(killed) >= 1
    assert found == run(documents, encoder, tmp_path / "alone")


def test_an_input_that_kills_its_worker_is_named_and_the_other_shards_are_kept(
    cluster: str, encoder: Encoder, tmp_path: Path
) -> None:
    documents = many(40)
    text = f"Toto je {POISON}."
    documents.insert(20, Document("culprit", text, "cs", "t", segment(text, "cs")))
    with pytest.raises(ResourceError, match=r"shard \w{12} killed its worker 4 times; its documents: ") as stopped:
        run(documents, encoder, tmp_path, Workers(scheduler=cluster, show="none"))
    plans = module_plans(documents, encoder)
    bad = next(plan for plan in plans if "t/cs/culprit" in plan.names)
    assert bad.key[:12] in str(stopped.value)
    assert {shard.key for shard in Pool(tmp_path / "pool").shards()} == {plan.key for plan in plans} - {bad.key}
    assert f"{len(plans) - 1} other shards are kept in" in str(stopped.value)
    assert not (tmp_path / "store").exists()


def module_plans(documents: list[Document], encoder: Encoder) -> list[module.ShardPlan]:
    from ner_head.features.extraction.plans import plan_shards

    return plan_shards(documents, shard_words=40, fingerprint=encoder.fingerprint.digest())


def test_four_processes_of_this_machine_give_the_bytes_of_one(
    encoder: Encoder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    documents = many(60)
    found = run(documents, encoder, tmp_path / "four", Workers(4, show="lines"))
    shown = capfd.readouterr().err
    first, *between, last = shown.splitlines()  # nothing that Dask prints
    assert " to compute: " in first
    assert all("shards left: " in line for line in between)
    assert " shards computed in " in last
    assert found == run(documents, encoder, tmp_path / "one", Workers(1, show="none"))
    assert capfd.readouterr().err == ""


def test_no_scheduler_at_the_address_is_one_line(encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"runtime\.scheduler: no Dask scheduler at nonsense://x"):
        run(many(3), encoder, tmp_path, Workers(scheduler="nonsense://x", show="none"))


def test_a_cluster_without_workers_ends_the_run_and_says_so(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "IDLE_SECONDS", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=50) as empty,
        pytest.raises(ResourceError, match=r"no Dask worker has taken one for \d s \(0 are connected\)") as stopped,
    ):
        run(many(10), encoder, tmp_path, Workers(scheduler=empty.scheduler_address, show="none"))
    assert "start workers" in str(stopped.value)


def test_workers_without_the_resources_asked_for_end_the_run(
    cluster: str, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "IDLE_SECONDS", 0.5)
    job = module.Job(str(encoder.folder), "cuda", encoder.fingerprint, "nowhere", 64, 1)
    with Client(cluster, set_as_default=False) as client, pytest.raises(ResourceError, match="GPU=1"):
        list(tasks.run_tasks(client, module.compute_shard, module_plans(many(3), encoder), job, resources={"GPU": 1}))


def test_workers_times_threads_are_the_cores() -> None:
    cores = len(os.sched_getaffinity(0))
    assert Workers(1).threads_each == cores
    assert Workers(cores).threads_each == 1
    assert Workers(10 * cores).threads_each == 1
    assert Workers(2, threads=3).threads_each == 3
    assert Workers(scheduler="tcp://x:1").threads_each == 0


def test_a_system_that_does_not_say_which_cores_are_ours_gives_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert Workers(2).threads_each == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert Workers(2).threads_each == 1


def test_a_worker_that_sees_another_encoder_says_so(encoder: Encoder, tmp_path: Path) -> None:
    from dataclasses import replace

    other = replace(encoder.fingerprint, weights="0" * 64)
    job = module.Job(str(encoder.folder), "cpu", other, str(tmp_path), 64, 1)
    found = module.compute_shard(module_plans(many(3), encoder)[0], job)
    assert isinstance(found, NerHeadError)
    assert isinstance(found, DataError)
    assert f"but the run is for {other.digest()[:12]}" in str(found)
