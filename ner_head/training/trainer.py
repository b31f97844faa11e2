"""The training loop: shuffled length buckets, warm-up and decay, the best epoch on dev kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ner_head.corpus.documents import Document
from ner_head.corpus.tagging import TagSet
from ner_head.errors import DataError
from ner_head.evaluation.spans import Counts, strict_counts
from ner_head.features.batches import shuffled_batches
from ner_head.features.store import FeatureStore
from ner_head.head.model import Head
from ner_head.predictions import predict_from_store
from ner_head.tagger import Tagger
from ner_head.training.examples import Batch, Example, collate
from ner_head.training.loading import ahead
from ner_head.training.objective import joint_loss
from ner_head.training.optimizer import HeadOptimizer
from ner_head.training.params import TrainingParams
from ner_head.training.progress import Watcher
from ner_head.training.run import Run
from ner_head.training.state import Checkpoint, Epoch

SILENT = Watcher()


@dataclass(frozen=True)
class Trained:
    """The weights of the best and of the last epoch, and the whole curve."""

    best: Epoch
    best_weights: dict[str, Tensor]
    last_weights: dict[str, Tensor]
    curve: list[Epoch]


class Trainer:
    """Fits one head to the train sentences of a store."""

    def __init__(
        self, head: Head, tag_set: TagSet, languages: Sequence[str], *, params: TrainingParams, device: torch.device
    ) -> None:
        self.head, self.tag_set, self.languages = head.to(device), tag_set, languages
        self.params, self.device, self.dtype = params, device, params.dtype(device)
        self.tagger = Tagger(head, tag_set, device)
        self.optimizer = HeadOptimizer(head, betas=params.betas, decay=params.weight_decay, clip=params.clip)

    def fit(
        self,
        train: Sequence[Example],
        dev: Sequence[Document],
        store: FeatureStore,
        *,
        watcher: Watcher = SILENT,
        checkpoint: Checkpoint | None = None,
        last: int = 0,
    ) -> Trained:
        """Train for all epochs, or until patience ends; from where `checkpoint` stands, where it holds a state.

        Args:
            train: sentences.
            dev: to choose the epoch by; without any the last one is the best.
            store: the features of both.
            watcher: is told how it goes.
            checkpoint: is kept up to date.
            last: end after this epoch, although the rate falls until `epochs`; 0 = `stop_after`.
        Raises:
            DataError: there is nothing to train on, or the store lacks features.
        """
        missing = next((example.name for example in train if example.name not in store), None)
        if not train or missing:
            what = f"no features of {missing}" if missing else "no sentences to train on"
            raise DataError(f"{store.directory}: {what}; run `dvc repro extract`")
        lengths = [self.length(example, store) for example in train]
        run = Run(self.head, self.optimizer)
        if checkpoint and (state := checkpoint.load()):
            run.restore(state)
            watcher.resume(run.curve[-1])
        with torch.random.fork_rng():
            while not run.is_over(last or self.params.stop_after or self.params.epochs, self.params.patience):
                start, number = time.perf_counter(), len(run.curve) + 1
                plan = shuffled_batches(lengths, self.params.batch_size, seed=self.params.seed * 10_007 + number)
                batches = [[train[i] for i in batch] for batch in plan]
                loss = self.train_epoch(batches, store.for_epoch(number), number, watcher)
                f1 = self.dev_f1(dev, store)
                epoch = Epoch(epoch=number, loss=loss, dev_f1=f1, seconds=time.perf_counter() - start)
                run.add(epoch, best=not dev)
                if checkpoint:
                    checkpoint.save(run.state())
                watcher.epoch(epoch)
        return Trained(run.best, run.best_weights, run.weights(), run.curve)

    def length(self, example: Example, store: FeatureStore) -> int:
        """Positions of a sentence in the network, from the index alone."""
        return len(example.word_tags) + 1 if self.head.pieces == "first" else store.n_pieces(example.name)

    def train_epoch(
        self, batches: Sequence[Sequence[Example]], store: FeatureStore, number: int, watcher: Watcher = SILENT
    ) -> float:
        """One pass; returns the mean loss. `number` counts epochs from 1."""
        self.head.train()
        total = torch.zeros((), device=self.device)
        n_steps, before = len(batches) * self.params.epochs, len(batches) * (number - 1)
        prepared = (collate(chosen, store, self.tag_set, self.head) for chosen in batches)
        if self.device.type == "cuda":
            prepared = (batch.pinned() for batch in prepared)
        for done, batch in enumerate(ahead(prepared), 1):
            step = before + done - 1
            # dropout depends on seed and step alone, so that an interrupted run goes on with the same
            seed_dropout(self.device, self.params.seed * 1_000_003 + step)
            total += self._step(batch.to(self.device), self.params.rate(step, n_steps))
            watcher.step(done, len(batches))
        self.optimizer.settle()
        return float(total) / len(batches)

    def _step(self, batch: Batch, rate: float) -> Tensor:
        """One step of the optimizer; returns the loss. Nothing here waits for a device."""
        self.optimizer.prepare(batch.words)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            output = self.head(batch.features.hidden, batch.features.mask, batch.steps, batch.words)
            loss = joint_loss(self.head, output, batch.steps, batch.tags, batch.languages)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(rate)
        return loss.detach()

    def dev_f1(self, dev: Sequence[Document], store: FeatureStore) -> float:
        """`strict_f1` of the head as it is now."""
        return strict_f1(self.tagger, dev, store, self.languages)


def strict_f1(tagger: Tagger, dev: Sequence[Document], store: FeatureStore, languages: Sequence[str]) -> float:
    """Strict micro F1 by character offsets; 0 without dev documents."""
    counts = Counts()
    for predicted, gold in zip(predict_from_store(tagger, dev, store, languages), dev, strict=True):
        counts = sum(strict_counts(gold.spans, predicted.document.spans).values(), counts)
    return counts.scores()["f1"]


def seed_dropout(device: torch.device, seed: int) -> None:
    """Seed the generator that dropout draws from on a device; `torch.manual_seed` takes those of all, and longer."""
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
