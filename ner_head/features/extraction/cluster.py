"""A Dask cluster, here or elsewhere: tasks on workers that may die. The only module that knows dask."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ner_head.base.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

RETRIES = 2  # after an exception
IDLE_SECONDS = 120.0  # shards are left and no worker takes one: the run ends, for it would wait for ever
POLL_SECONDS = 0.02
REVIVE_SECONDS = 20.0  # without any worker, after which those of this machine are started anew
ALLOWED_FAILURES = 2  # workers that may die of a task; a foreign scheduler has its own setting

J = TypeVar("J")
P = TypeVar("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """What stopped a shard, and how many workers died of it."""

    why: str
    kills: int = 0

    def __str__(self) -> str:
        """A line for an error."""
        return f"killed its worker {self.kills} times" if self.kills else self.why


def own_threads() -> int:
    """Threads that the worker of a cluster has, asked inside of a task."""
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
    """Map a task over items, with a job that is the same for all; each item with its result, or with what stopped it.

    Raises:
        ResourceError: nobody works on what is left.
    """
    from distributed import as_completed

    # the job is small; scattered, it would be lost with the last worker that holds it
    futures = client.map(task, items, job=job, pure=False, retries=RETRIES, resources=resources)
    item_of = dict(zip((future.key for future in futures), items, strict=True))
    finished = as_completed(futures, loop=client.loop)
    del futures  # so that each is forgotten when it is done
    try:
        for future in _as_they_come(client, finished):
            yield item_of.pop(future.key), _result(future)
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
def connect(count: int, scheduler: str = "", *, gpu: bool = False) -> Iterator[Client]:
    """A client of a cluster; processes of this machine end with it.

    Args:
        count: processes on this machine.
        scheduler: address of a Dask scheduler, whose workers are taken instead.
        gpu: whether each process here has one.
    Raises:
        UsageError: no scheduler answers at the address.
    """
    import dask

    # workers come and go on purpose; before distributed is imported, for it sets up logging then
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
        cluster.adapt(minimum=count, maximum=count, interval="1s")
        yield stack.enter_context(Client(cluster, set_as_default=False))
