"""Extraction in several processes, here or on a cluster. The only module that knows dask.

What travels to a worker is the words of a shard, what comes back a receipt; the shard goes to the pool, which the
workers of a cluster reach through a shared file system.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

from ner_head.errors import DataError, NerHeadError, ResourceError, UsageError
from ner_head.features.encode import encode_shard
from ner_head.features.encoder import Encoder, Fingerprint
from ner_head.features.plans import ShardPlan
from ner_head.features.pool import Pool
from ner_head.features.progress import Show

if TYPE_CHECKING:
    from distributed import Client, Future

RETRIES = 2  # after an exception
ALLOWED_FAILURES = 1  # workers that may die of a task; a foreign scheduler has its own setting
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
            content = encode_shard(plan.words, encoder, key=plan.key, batch_pieces=job.batch_pieces)
            shard = Pool(Path(job.pool)).add(plan.key, content)
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
        ResourceError: the disk is full, or shards kill their workers; all others are computed and kept.
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
        failed = yield from _round(client, plans, job)
        for plan, _ in failed:
            final += yield from _round(client, [plan], job)
    if final:
        raise ResourceError(_blame(final, len(plans), pool))


Failures = list[tuple[ShardPlan, str]]


def _round(client: Client, plans: Sequence[ShardPlan], job: Job) -> Generator[Receipt, None, Failures]:
    """Compute shards; returns those that could not be, with the reason."""
    failed: Failures = []
    resources = {"GPU": 1.0} if job.device.startswith("cuda") else None
    for plan, outcome in run_tasks(client, compute_shard, plans, job, resources=resources):
        if isinstance(outcome, NerHeadError):
            raise outcome
        if isinstance(outcome, str):
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
) -> Iterator[tuple[ShardPlan, T | str]]:
    """Map a task over shards; each shard with its result, or with a line about what stopped it."""
    from distributed import as_completed

    # the job is small; scattered, it would be lost with the last worker that holds it
    futures = client.map(task, plans, job=job, pure=False, retries=RETRIES, resources=resources)
    plan_of = dict(zip((future.key for future in futures), plans, strict=True))
    finished = as_completed(futures, loop=client.loop)
    del futures  # so that each is forgotten when it is done
    try:
        for future in finished:
            plan = plan_of.pop(future.key)
            yield plan, _result(future)
            future.release()
    finally:
        finished.clear()


def _result(future: Future[T]) -> T | str:
    from distributed import KilledWorker

    try:
        outcome: T = future.result()
        return outcome
    except KilledWorker as error:
        return f"killed its worker {error.allowed_failures + 1} times"
    except Exception as error:  # of the task, whatever it is: it must not stop the others
        return f"failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})"


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
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=workers.count,
                threads_per_worker=1,
                memory_limit=0,  # a worker paused for "unmanaged" memory would never go on (distributed#7535)
                dashboard_address="127.0.0.1:0",  # no fixed port, and nothing for others to see
                resources={"GPU": 1} if gpu else None,
                silence_logs=50,
            )
        )
        # a nanny gives up a worker that dies while it starts; this brings another one
        cluster.adapt(minimum=workers.count, maximum=workers.count, interval="1s")
        yield stack.enter_context(Client(cluster, set_as_default=False))
