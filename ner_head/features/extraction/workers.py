"""Extraction in several processes, on this machine or on a cluster.

A worker receives the words of a shard, adds the shard to the pool and returns a receipt. The workers of a cluster reach
the pool through a shared file system.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ner_head.base.errors import DataError, NerHeadError, ResourceError, UsageError
from ner_head.base.extras import require_extra
from ner_head.base.runtime import Show
from ner_head.features.extraction.cluster import Failure, connect, own_threads, run_tasks
from ner_head.features.extraction.encode import encode_shard
from ner_head.features.extraction.encoder import Encoder, Fingerprint
from ner_head.features.extraction.plans import ShardPlan
from ner_head.features.extraction.pool import Pool

if TYPE_CHECKING:
    from distributed import Client

NAMED = 5  # documents that an error names
ONE_AT_A_TIME = (
    threading.Lock()
)  # workers of an existing cluster may have several threads, but torch already uses all cores


@dataclass(frozen=True)
class Workers:
    """The processes that compute.

    Attributes:
        count: number of processes on this machine; 1 = this process itself.
        threads: number of torch's threads in each; 0 = the number of cores divided by `count`.
        scheduler: address of a Dask scheduler; if given, its workers compute.
        show: how progress is shown.
    """

    count: int = 1
    threads: int = 0
    scheduler: str = ""
    show: Show = "auto"

    def __post_init__(self) -> None:
        """Check that Dask is installed, if it is needed.

        Raises:
            UsageError: it is not.
        """
        if not self.in_this_process:
            require_extra("cluster", "dask", "distributed")

    @property
    def in_this_process(self) -> bool:
        """Whether this process computes itself."""
        return self.count == 1 and not self.scheduler

    @property
    def threads_each(self) -> int:
        """Number of torch's threads in each worker; 0 = as many as the worker of an existing cluster has."""
        if self.threads or self.scheduler:
            return self.threads
        # on macOS and Windows the cores that a process may use are unknown
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // self.count)


@dataclass(frozen=True)
class Receipt:
    """Key and digest of a finished shard, which is in the pool."""

    key: str
    sha256: str


@dataclass(frozen=True)
class Job:
    """What is the same for all shards of a run. `folder`, of the encoder, and `pool` are absolute paths."""

    folder: str
    device: str
    fingerprint: Fingerprint
    pool: str
    batch_pieces: int
    threads: int


@lru_cache(maxsize=1)
def load_encoder(folder: str, device: str, fingerprint: Fingerprint) -> Encoder:
    """Load the encoder, once per process.

    Raises:
        DataError: the folder has another encoder than the one of the run.
    """
    encoder = Encoder(Path(folder), device=torch.device(device), spec=fingerprint.spec)
    if encoder.fingerprint != fingerprint:
        found, wanted = encoder.fingerprint.digest()[:12], fingerprint.digest()[:12]
        raise DataError(f"{folder}: a worker sees encoder {found} there, but the run is for {wanted}")
    return encoder


def compute_shard(plan: ShardPlan, job: Job) -> Receipt | NerHeadError:
    """The task of a worker. Returns errors that a retry cannot mend; any other is raised, and the task is retried."""
    with ONE_AT_A_TIME:
        try:
            torch.set_num_threads(job.threads or own_threads())  # a nanny process sets it to 1
            encoder = load_encoder(job.folder, job.device, job.fingerprint)
            parts = encode_shard(plan.words, encoder, key=plan.key, batch_pieces=job.batch_pieces)
            shard = Pool(Path(job.pool)).add(plan.key, *parts)
        except NerHeadError as error:
            return error
    return Receipt(shard.key, shard.sha256)


def run_on_workers(
    plans: Sequence[ShardPlan], encoder: Encoder, *, batch_pieces: int, pool: Path, workers: Workers
) -> Iterator[Receipt]:
    """Compute shards on workers; yields a receipt for each, in the order in which they finish.

    A shard whose worker died several times is computed once more at the end, alone, because another shard may have been
    the cause.

    Raises:
        ResourceError: the disk is full, shards killed their workers (all others are computed), or no worker took a
            shard for `cluster.IDLE_SECONDS`. Finished shards are kept.
        DataError: hidden states overflow, or workers have another encoder.
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
    with connect(workers.count, workers.scheduler, gpu=encoder.device.type == "cuda") as client:
        for plan, first in (yield from _round(client, plans, job)):
            for _, last in (yield from _round(client, [plan], job)):
                final.append((plan, Failure(last.why, first.kills + last.kills)))
    if final:
        raise ResourceError(_blame(final, len(plans), pool))


Failures = list[tuple[ShardPlan, Failure]]


def _round(client: Client, plans: Sequence[ShardPlan], job: Job) -> Generator[Receipt, None, Failures]:
    """Compute shards; yields receipts, returns the shards that failed with the reason."""
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
