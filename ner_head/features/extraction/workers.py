"""Extraction in several processes, here or on a cluster.

What travels to a worker is the words of a shard, what comes back a receipt; the shard goes to the pool, which the
workers of a cluster reach through a shared file system.
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
from ner_head.base.runtime import Show
from ner_head.features.extraction.cluster import Failure, connect, own_threads, run_tasks
from ner_head.features.extraction.encode import encode_shard
from ner_head.features.extraction.encoder import Encoder, Fingerprint
from ner_head.features.extraction.plans import ShardPlan
from ner_head.features.extraction.pool import Pool

if TYPE_CHECKING:
    from distributed import Client

NAMED = 5  # documents in an error
ONE_AT_A_TIME = threading.Lock()  # a worker of a foreign cluster may have several threads; torch uses the cores itself


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
        # macOS and Windows do not say which cores a process may use
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // self.count)


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
    encoder = Encoder(Path(folder), device=torch.device(device), spec=fingerprint.spec)
    if encoder.fingerprint != fingerprint:
        found, wanted = encoder.fingerprint.digest()[:12], fingerprint.digest()[:12]
        raise DataError(f"{folder}: a worker sees encoder {found} there, but the run is for {wanted}")
    return encoder


def compute_shard(plan: ShardPlan, job: Job) -> Receipt | NerHeadError:
    """A worker's task. What trying again cannot mend is returned, everything else raised."""
    with ONE_AT_A_TIME:
        try:
            torch.set_num_threads(job.threads or own_threads())  # a nanny has set them to 1
            encoder = load_encoder(job.folder, job.device, job.fingerprint)
            parts = encode_shard(plan.words, encoder, key=plan.key, batch_pieces=job.batch_pieces)
            shard = Pool(Path(job.pool)).add(plan.key, *parts)
        except NerHeadError as error:
            return error
    return Receipt(shard.key, shard.sha256)


def run_on_workers(
    plans: Sequence[ShardPlan], encoder: Encoder, *, batch_pieces: int, pool: Path, workers: Workers
) -> Iterator[Receipt]:
    """Compute shards; the receipts in the order in which they come.

    A shard whose worker died again and again gets a last try with the cluster to itself: only then it is known
    that it was not a neighbour's fault.

    Raises:
        ResourceError: the disk is full, shards kill their workers (all others are computed), or no worker takes a
            shard for `cluster.IDLE_SECONDS`. What is finished is kept.
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
    with connect(workers.count, workers.scheduler, gpu=encoder.device.type == "cuda") as client:
        for plan, first in (yield from _round(client, plans, job)):
            for _, last in (yield from _round(client, [plan], job)):
                final.append((plan, Failure(last.why, first.kills + last.kills)))
    if final:
        raise ResourceError(_blame(final, len(plans), pool))


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
