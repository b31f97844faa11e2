"""Prediction in several processes, on this machine or on a cluster, with Dask.

A worker loads the model once, from the same folder as this process, and recognizes groups of documents.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ner_head.base.errors import NerHeadError, ResourceError
from ner_head.base.extras import require_extra
from ner_head.corpus.documents import Document
from ner_head.features.extraction.cluster import Failure, connect, own_threads, run_in_order
from ner_head.prediction.choice import Choice

if TYPE_CHECKING:
    from ner_head.recognizer import Recognizer

AHEAD = 3  # groups a worker
NAMED = 5  # documents that an error names
ONE_AT_A_TIME = threading.Lock()  # a worker of an existing cluster may have several threads


@dataclass(frozen=True)
class ModelSource:
    """A model and where it runs; paths are absolute. `threads` is 0 for as many as the worker has."""

    folder: str
    encoder: str | None
    device: str
    threads: int

    def load(self) -> Recognizer:
        """Load the head and the encoder."""
        from ner_head.recognizer import Recognizer

        return Recognizer.load(self.folder, self.device, encoder=self.encoder, threads=self.threads)


@dataclass(frozen=True)
class Job:
    """What is the same for all groups."""

    model: ModelSource
    n_best: int
    choice: Choice

    def recognize(self, recognizer: Recognizer, group: list[Document]) -> list[Document]:
        """The documents with their entities."""
        found = recognizer.recognize_documents(group, n_best=self.n_best)
        return [self.choice(document) for document in found]


def require() -> None:
    """Check that Dask is installed.

    Raises:
        UsageError: it is not.
    """
    require_extra("cluster", "dask", "distributed")


def recognize_here(groups: Iterable[list[Document]], job: Job, *, few: bool) -> Iterator[list[Document]]:
    """Recognize groups in this process; `few`: so few texts that loading the kernels of the CRF does not pay."""
    recognizer = job.model.load()
    if few:
        recognizer.expect_few()
    return (job.recognize(recognizer, group) for group in groups)


def recognize_on_workers(
    groups: Iterable[list[Document]], job: Job, *, workers: int, scheduler: str
) -> Iterator[list[Document]]:
    """Recognize groups on workers; the results come in the order of the groups.

    A group whose worker died several times is computed once more, because another group may have been the cause.

    Raises:
        ResourceError: a group killed its workers (names its documents), or no worker takes one.
        NerHeadError: of a worker.
    """
    with connect(workers, scheduler, gpu=job.model.device == "cuda") as client:
        ahead = AHEAD * max(workers, len(client.nthreads()))
        resources = {"GPU": 1.0} if job.model.device == "cuda" else None
        items = (group or None for group in groups)
        for group, outcome in run_in_order(client, recognize_group, items, job, ahead=ahead, resources=resources):
            if isinstance(outcome, Failure):
                again = run_in_order(client, recognize_group, [group], job, ahead=1, resources=resources)
                ((_, outcome),) = again
            if isinstance(outcome, NerHeadError):
                raise outcome
            if isinstance(outcome, Failure):
                names = ", ".join(document.id for document in group[:NAMED]) + ", ..." * (len(group) > NAMED)
                raise ResourceError(f"{names}: {outcome}; leave these out, or give workers more memory")
            yield outcome


@lru_cache(maxsize=1)
def load_once(model: ModelSource) -> Recognizer:
    """Load the model, once per process."""
    return model.load()


def recognize_group(group: list[Document], job: Job) -> list[Document] | NerHeadError:
    """The task of a worker. Returns errors that a retry cannot mend; any other is raised, and the task is retried."""
    import torch

    with ONE_AT_A_TIME:
        try:
            recognizer = load_once(job.model)
            torch.set_num_threads(job.model.threads or own_threads())  # a nanny process sets it to 1
            return job.recognize(recognizer, group)
        except NerHeadError as error:
            return error


def threads_each(threads: int, workers: int) -> int:
    """Number of torch's threads in each of some workers on this machine: an equal share of the cores."""
    # on macOS and Windows the cores that a process may use are unknown
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return threads or max(1, cores // workers)


def absolute(path: str | Path) -> str:
    """A path that a worker in another folder understands."""
    return str(Path(path).absolute())
