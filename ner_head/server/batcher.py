"""The queue of texts, and the one thread that runs the model. Texts of several requests are computed together."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from ner_head.corpus.documents import Document
from ner_head.server.limits import Limits
from ner_head.server.refusal import Refusal


class Recognize(Protocol):
    """Finds the entities of documents, as `Recognizer.recognize_documents` does."""

    def __call__(self, documents: Sequence[Document], /, *, n_best: int) -> Sequence[Document]:
        """The documents with spans, and with readings if `n_best` is above 1."""
        ...


@dataclass(eq=False)
class Job:
    """The documents of a request, and the future of its results. Cancel the future to drop the request.

    Attributes:
        documents: the documents that no batch has yet.
        n_best: number of readings of each sentence.
        count: number of all documents.
        found: results so far, in order.
    """

    documents: deque[Document]
    n_best: int = 1
    future: Future[list[Document]] = field(default_factory=Future)
    found: list[Document] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.count = len(self.documents)


Part = tuple[Job, list[Document]]
"""Some of the documents of a job."""


class Batcher:
    """A queue of jobs and the thread that computes them.

    A batch has documents of the oldest job, and of the next oldest with the same `n_best`. (Readings with the same
    spans are one, so the first two of three readings are not those of `n_best=2`.) A job that does not fit into one
    batch goes behind the others with the rest of its documents, so that a long request does not delay the short ones.
    """

    def __init__(self, recognize: Recognize, limits: Limits) -> None:
        """Start the thread.

        Args:
            recognize: finds the entities of documents. It is only called in the thread.
            limits: limits of the queue and of a batch.
        """
        self.recognize, self.limits = recognize, limits
        self.texts = self.characters = 0  # what waits
        self.batches = self.computed = self.dropped = 0  # batches, and texts that were computed or dropped
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._rate = 2000.0  # characters in a second; a guess until the first batch
        self._thread = threading.Thread(target=self._run, name="ner-head-model", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Compute what waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def submit(self, documents: Sequence[Document], *, n_best: int = 1) -> Job:
        """Add documents to the queue.

        Args:
            documents: the documents.
            n_best: number of readings of each sentence.
        Raises:
            Refusal: too many wait (429), or the server stops (503).
        """
        job, size = Job(deque(documents), n_best), characters(documents)
        with self._changed:
            if self._closed:
                raise Refusal(503, "the server stops")
            self.check(len(documents), size)
            if documents:
                self._jobs.append(job)
                self.texts += len(documents)
                self.characters += size
                self._changed.notify()
            else:
                job.future.set_result([])
        job.future.add_done_callback(lambda future: self._drop(job) if future.cancelled() else None)
        return job

    def check(self, texts: int = 1, size: int = 1) -> None:
        """Check that the queue has room.

        Raises:
            Refusal: it has not (429).
        """
        if self.texts + texts > self.limits.queue_texts or self.characters + size > self.limits.queue_characters:
            seconds = min(60, math.ceil(self.characters / self._rate) + 1)
            raise Refusal(429, f"{self.texts} texts wait already; try again in {seconds} s", retry_after=seconds)

    def _drop(self, job: Job) -> None:
        """Remove a job that was cancelled from the queue."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)
                self._take(job, len(job.documents))
                self.dropped += job.count - len(job.found)

    def _take(self, job: Job, count: int) -> list[Document]:
        """Remove the first documents of a job."""
        taken = [job.documents.popleft() for _ in range(count)]
        self.texts -= count
        self.characters -= characters(taken)
        return taken

    def _run(self) -> None:
        """Compute batches until the batcher is closed and nothing waits."""
        while batch := self._next():
            start = time.perf_counter()
            self._compute(batch)
            size = sum(characters(documents) for _, documents in batch)
            self._rate += 0.2 * (size / (time.perf_counter() - start) - self._rate)

    def _next(self) -> list[Part]:
        """Wait for documents, and take a batch of them; empty if the batcher was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            batch, texts, size = list[Part](), 0, 0
            for job in [job for job in self._jobs if job.n_best == self._jobs[0].n_best]:
                count = 0
                for document in job.documents:
                    fits = texts < self.limits.batch_texts and size + len(document.text) <= self.limits.batch_characters
                    if texts and not fits:
                        break
                    count, texts, size = count + 1, texts + 1, size + len(document.text)
                if not count:
                    break
                self._jobs.remove(job)
                batch.append((job, self._take(job, count)))
                if job.documents:
                    self._jobs.append(job)
                    break
            return batch

    def _compute(self, batch: list[Part]) -> None:
        """Compute a batch. If it fails, compute the parts one by one, so that only the faulty request fails."""
        batch = [part for part in batch if not part[0].future.cancelled()]
        if not batch:
            return
        try:
            documents = [document for _, some in batch for document in some]
            found = iter(self.recognize(documents, n_best=batch[0][0].n_best))
        except Exception as error:
            if len(batch) > 1:
                for part in batch:
                    self._compute([part])
            else:
                self._fail(batch[0][0], error)
            return
        self.batches += 1
        for job, documents in batch:
            job.found += [next(found) for _ in documents]
            self.computed += len(documents)
            if len(job.found) == job.count and job.future.set_running_or_notify_cancel():
                job.future.set_result(job.found)

    def _fail(self, job: Job, error: Exception) -> None:
        """End a job with an error."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)
                self._take(job, len(job.documents))
        if job.future.set_running_or_notify_cancel():
            job.future.set_exception(error)


def characters(documents: Sequence[Document]) -> int:
    """Number of characters of the texts of documents."""
    return sum(len(document.text) for document in documents)
