"""Tasks on a Dask cluster whose workers may die."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ner_head.base.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

RETRIES = 2  # of a task that raised an exception
IDLE_SECONDS = 120.0  # without a busy worker while shards are left, after which the run ends
POLL_SECONDS = 0.02
REVIVE_SECONDS = 20.0  # without any worker, after which those of this machine are started again
ALLOWED_FAILURES = 2  # deaths of workers per task; an existing scheduler has its own setting

J = TypeVar("J")
P = TypeVar("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """Why a task failed, and how many workers died of it."""

    why: str
    kills: int = 0

    def __str__(self) -> str:
        """The reason, for an error message."""
        return f"killed its worker {self.kills} times" if self.kills else self.why


def own_threads() -> int:
    """Number of threads of the worker that runs the current task."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def run_tasks(
    client: Client,
    task: Callable[[P, J], T],
    items: Sequence[P],
    job: J,
    *,
    resources: dict[str, float] | None = None,
) -> Iterator[tuple[P, T | Failure]]:
    """Run a task on each item.

    Args:
        client: client of a cluster.
        task: function of an item and the job.
        items: the items.
        job: second argument of the task, the same for all items.
        resources: Dask resources that a worker must have.
    Yields:
        Each item with its result or its failure, in the order in which they finish.
    Raises:
        ResourceError: no worker runs the remaining tasks.
    """
    from distributed import as_completed

    # the job is small, and is not scattered: it would be lost with the last worker that has it
    futures = client.map(task, items, job=job, pure=False, retries=RETRIES, resources=resources)
    item_of = dict(zip((future.key for future in futures), items, strict=True))
    finished = as_completed(futures, loop=client.loop)
    del futures  # so that each future is freed when it is done
    try:
        for future in _as_they_come(client, finished):
            yield item_of.pop(future.key), _result(future)
            future.release()
    finally:
        finished.clear()


def run_in_order(
    client: Client,
    task: Callable[[P, J], T],
    items: Iterable[P | None],
    job: J,
    *,
    ahead: int,
    resources: dict[str, float] | None = None,
) -> Iterator[tuple[P, T | Failure]]:
    """Run a task on each item of a stream.

    Args:
        client: client of a cluster.
        task: function of an item and the job.
        items: the items; None for a pause, before which all results are yielded.
        job: second argument of the task, the same for all items.
        ahead: number of items that are read before the first of them has a result.
        resources: Dask resources that a worker must have.
    Yields:
        Each item with its result or its failure, in the order of the items.
    Raises:
        ResourceError: no worker runs the remaining tasks.
    """
    from distributed import as_completed

    waiting: deque[tuple[P, Future[T]]] = deque()

    def first() -> tuple[P, T | Failure]:
        item, future = waiting.popleft()
        for done in _as_they_come(client, as_completed([future], loop=client.loop)):
            return item, _result(done)
        raise AssertionError("a future has no result")

    for item in items:
        if item is not None:
            # the job is small, and is not scattered: it would be lost with the last worker that has it
            future = client.submit(task, item, job, pure=False, retries=RETRIES, resources=resources)
            waiting.append((item, future))
        while waiting and (item is None or len(waiting) >= ahead or waiting[0][1].done()):
            yield first()
    while waiting:
        yield first()


def _as_they_come(client: Client, finished: as_completed) -> Iterator[Future[Any]]:
    """Yield futures as they finish.

    A plain loop over `finished` would wait for ever if the last worker is gone, or if none has the required resources.
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
            # all workers died while they started, but the cluster still counts them; scaled to 0, it starts new ones
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
    except Exception as error:  # any error of the task; other tasks go on
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
def connect(count: int, scheduler: str = "", *, gpu: bool = False) -> Iterator[Client]:
    """Context manager of a cluster's client. Processes on this machine are stopped at its end.

    Args:
        count: number of processes on this machine.
        scheduler: address of a Dask scheduler; if given, its workers are used.
        gpu: whether each process on this machine has a GPU.
    Raises:
        UsageError: no scheduler answers at the address.
    """
    import dask

    # set before distributed is imported, because it configures its logging then; workers may come and go
    dask.config.set({"logging.distributed": "critical", "distributed.scheduler.allowed-failures": ALLOWED_FAILURES})
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        if scheduler:
            try:
                yield stack.enter_context(Client(scheduler, timeout="10s", set_as_default=False))
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"runtime.scheduler: no Dask scheduler at {scheduler} ({type(error).__name__})"
                ) from None
            return
        # if a worker dies while it starts, asyncio would print a traceback for a task that is not awaited
        stack.enter_context(_quiet(logging.getLogger("asyncio")))
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=0,
                threads_per_worker=1,
                memory_limit=0,  # a worker paused for "unmanaged" memory would not continue (distributed#7535)
                dashboard_address="127.0.0.1:0",  # a free port, and reachable from this machine only
                resources={"GPU": 1} if gpu else None,
                silence_logs=50,
            )
        )
        # adapt() replaces workers that die while they start; started with n_workers=count, they would end the run
        cluster.adapt(minimum=count, maximum=count, interval="1s")
        yield stack.enter_context(Client(cluster, set_as_default=False))
