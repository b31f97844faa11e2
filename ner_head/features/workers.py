"""Extraction in several processes, here or on a cluster. The only module that knows dask.

What travels to a worker is the words of a shard, what comes back a receipt; the shard goes to the pool, which the
workers of a cluster reach through a shared file system.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from ner_head.errors import DataError, NerHeadError, ResourceError, UsageError
from ner_head.features.encode import encode_shard
from ner_head.features.encoder import Encoder, Fingerprint
from ner_head.features.plans import ShardPlan
from ner_head.features.pool import Pool
from ner_head.runtime import Show

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

RETRIES = 2  # after an exception
IDLE_SECONDS = 120.0  # shards are left and no worker takes one: the run ends, for it would wait for ever
POLL_SECONDS = 0.02
REVIVE_SECONDS = 20.0  # without any worker, after which those of this machine are started anew
ALLOWED_FAILURES = 2  # workers that may die of a task; a foreign scheduler has its own setting
NAMED = 5  # documents in an error
ONE_AT_A_TIME = threading.Lock()  # a worker of a foreign cluster may have several threads; torch uses the cores itself

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """Who computes.

    Attributes:
        count: processes on this machine; 1 = this process itself.
        threads: of torch in each; 0 = the cores, shared among them.
        scheduler: address of a Dask scheduler, whose workers compute instead.
        show: how progress is shown.
    """

    count: int = 1
    threads: int = 0
    scheduler: str = ""
    show: Show = "auto"

    @property
    def in_this_process(self) -> bool:
        """Whether no other process is needed."""
        return self.count == 1 and not self.scheduler

    @property
    def threads_each(self) -> int:
        """Torch threads of each worker, so that workers x threads = cores; 0 = what a foreign worker has."""
        if self.threads or self.scheduler:
            return self.threads
        return max(1, len(os.sched_getaffinity(0)) // self.count)


@dataclass(frozen=True)
class Receipt:
    """A finished shard: it is in the pool under these names."""

    key: str
    sha256: str


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs for any shard; `folder` and `pool` are absolute."""

    folder: str
    device: str
    fingerprint: Fingerprint
    pool: str
    batch_pieces: int
    threads: int


@lru_cache(maxsize=1)
def load_encoder(folder: str, device: str, fingerprint: Fingerprint) -> Encoder:
    """The encoder, once per process.

    Raises:
        DataError: the files there are another encoder's.
    """
    encoder = Encoder(
        Path(folder),
        device=torch.device(device),
        dtype=fingerprint.dtype,
        context=fingerprint.context,
        views=fingerprint.views,
    )
    if encoder.fingerprint != fingerprint:
        found, wanted = encoder.fingerprint.digest()[:12], fingerprint.digest()[:12]
        raise DataError(f"{folder}: a worker sees encoder {found} there, but the run is for {wanted}")
    return encoder


def compute_shard(plan: ShardPlan, job: Job) -> Receipt | NerHeadError:
    """A worker's task. What trying again cannot mend is returned, everything else raised."""
    with ONE_AT_A_TIME:
        try:
            torch.set_num_threads(job.threads or _own_threads())  # a nanny has set them to 1
            encoder = load_encoder(job.folder, job.device, job.fingerprint)
            parts = encode_shard(plan.words, encoder, key=plan.key, batch_pieces=job.batch_pieces)
            shard = Pool(Path(job.pool)).add(plan.key, *parts)
        except NerHeadError as error:
            return error
    return Receipt(shard.key, shard.sha256)


def _own_threads() -> int:
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def run_on_workers(
    plans: Sequence[ShardPlan], encoder: Encoder, *, batch_pieces: int, pool: Path, workers: Workers
) -> Iterator[Receipt]:
    """Compute shards; the receipts in the order in which they come.

    A shard whose worker died again and again gets a last try with the cluster to itself: only then it is known
    that it was not a neighbour's fault.

    Raises:
        ResourceError: the disk is full, shards kill their workers (all others are computed), or no worker takes a
            shard for `IDLE_SECONDS`. What is finished is kept.
        DataError: the encoder overflows, or workers see another one.
        UsageError: there is no scheduler at the address, or its workers do not reach the pool.
    """
    job = Job(
        str(encoder.folder.resolve()),
        str(encoder.device),
        encoder.fingerprint,
        str(pool.resolve()),
        batch_pieces,
        workers.threads_each,
    )
    final: Failures = []
    with connect(workers, gpu=encoder.device.type == "cuda") as client:
        for plan, first in (yield from _round(client, plans, job)):
            for _, last in (yield from _round(client, [plan], job)):
                final.append((plan, Failure(last.why, first.kills + last.kills)))
    if final:
        raise ResourceError(_blame(final, len(plans), pool))


@dataclass(frozen=True)
class Failure:
    """What stopped a shard, and how many workers died of it."""

    why: str
    kills: int = 0

    def __str__(self) -> str:
        """A line for an error."""
        return f"killed its worker {self.kills} times" if self.kills else self.why


Failures = list[tuple[ShardPlan, Failure]]


def _round(client: Client, plans: Sequence[ShardPlan], job: Job) -> Generator[Receipt, None, Failures]:
    """Compute shards; returns those that could not be, with the reason."""
    failed: Failures = []
    resources = {"GPU": 1.0} if job.device.startswith("cuda") else None
    for plan, outcome in run_tasks(client, compute_shard, plans, job, resources=resources):
        if isinstance(outcome, NerHeadError):
            raise outcome
        if isinstance(outcome, Failure):
            failed.append((plan, outcome))
        elif not Pool(Path(job.pool)).path(outcome.key, outcome.sha256).exists():
            raise UsageError(f"{job.pool}: the workers wrote shards that are not here; runtime.pool must be shared")
        else:
            yield outcome
    return failed


def _blame(failed: Failures, n_plans: int, pool: Path) -> str:
    plan, why = failed[0]
    more = f" and {len(plan.names) - NAMED} more" if len(plan.names) > NAMED else ""
    others = f" ({len(failed) - 1} more shards failed)" if len(failed) > 1 else ""
    return (
        f"shard {plan.key[:12]} {why}{others}; its documents: {', '.join(plan.names[:NAMED])}{more}; "
        f"{n_plans - len(failed)} other shards are kept in {pool}; leave the documents out, or give workers more memory"
    )


def run_tasks(
    client: Client,
    task: Callable[[ShardPlan, Job], T],
    plans: Sequence[ShardPlan],
    job: Job,
    *,
    resources: dict[str, float] | None = None,
) -> Iterator[tuple[ShardPlan, T | Failure]]:
    """Map a task over shards; each shard with its result, or with what stopped it.

    Raises:
        ResourceError: nobody works on what is left.
    """
    from distributed import as_completed

    # the job is small; scattered, it would be lost with the last worker that holds it
    futures = client.map(task, plans, job=job, pure=False, retries=RETRIES, resources=resources)
    plan_of = dict(zip((future.key for future in futures), plans, strict=True))
    finished = as_completed(futures, loop=client.loop)
    del futures  # so that each is forgotten when it is done
    try:
        for future in _as_they_come(client, finished):
            plan = plan_of.pop(future.key)
            yield plan, _result(future)
            future.release()
    finally:
        finished.clear()


def _as_they_come(client: Client, finished: as_completed) -> Iterator[Future[Any]]:
    """Futures that are done, until all are.

    A bare loop over `finished` waits for ever when the last worker is gone, or when none has the resources asked for.
    """
    busy = checked = manned = time.monotonic()
    while not finished.is_empty():
        if finished.has_ready():
            yield from finished.next_batch(block=False)
            busy = time.monotonic()
            continue
        time.sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - checked < min(1.0, IDLE_SECONDS / 4):
            continue
        checked = now
        if client.status == "running" and client.nthreads():
            manned = now
        elif client.cluster is not None and now - manned > REVIVE_SECONDS:
            # all died while they started: the cluster counts them still; emptied, it adapts to what is wanted
            client.cluster.scale(0)
            manned = now
        if client.status == "running" and any(client.processing().values()):
            busy = now
        elif now - busy > IDLE_SECONDS:
            raise ResourceError(_idle(client))


def _idle(client: Client) -> str:
    alive = len(client.scheduler_info(n_workers=-1)["workers"]) if client.status == "running" else 0
    return (
        f"shards are left, but no Dask worker has taken one for {IDLE_SECONDS:.0f} s ({alive} are connected); finished "
        "shards are kept: start workers (on a GPU, with `--resources GPU=1`), or leave runtime.scheduler empty"
    )


def _result(future: Future[T]) -> T | Failure:
    from distributed import KilledWorker

    try:
        outcome: T = future.result()
        return outcome
    except KilledWorker as error:
        return Failure("killed its worker", error.allowed_failures + 1)
    except Exception as error:  # of the task, whatever it is: it must not stop the others
        return Failure(f"failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})")


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def connect(workers: Workers, *, gpu: bool = False) -> Iterator[Client]:
    """A client of the cluster asked for; processes of this machine end with it.

    Raises:
        UsageError: no scheduler answers at the address.
    """
    import dask

    # workers come and go on purpose; before distributed is imported, for it sets up logging then
    dask.config.set({"logging.distributed": "critical", "distributed.scheduler.allowed-failures": ALLOWED_FAILURES})
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        if workers.scheduler:
            try:
                yield stack.enter_context(Client(workers.scheduler, timeout="10s", set_as_default=False))
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"runtime.scheduler: no Dask scheduler at {workers.scheduler} ({type(error).__name__})"
                ) from None
            return
        # a worker that dies while it starts leaves a task that nobody awaits, which asyncio would show as a traceback
        stack.enter_context(_quiet(logging.getLogger("asyncio")))
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=0,
                threads_per_worker=1,
                memory_limit=0,  # a worker paused for "unmanaged" memory would never go on (distributed#7535)
                dashboard_address="127.0.0.1:0",  # no fixed port, and nothing for others to see
                resources={"GPU": 1} if gpu else None,
                silence_logs=50,
            )
        )
        # started here, a worker that dies while it starts would end the run, and its nanny gives it up; so it is
        # the cluster's business to have as many as are wanted
        cluster.adapt(minimum=workers.count, maximum=workers.count, interval="1s")
        yield stack.enter_context(Client(cluster, set_as_default=False))
