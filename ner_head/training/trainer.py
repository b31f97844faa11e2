"""The training loop: shuffled length buckets, warm-up and linear decay, selection of the best epoch on dev."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.corpus.results import judged
from ner_head.corpus.tagging import TagSet
from ner_head.evaluation.measures.spans import total_counts
from ner_head.features.store.batches import shuffled_batches
from ner_head.features.store.preload import free_memory
from ner_head.features.store.store import FeatureStore
from ner_head.head.model import Head
from ner_head.inference.predictions import predict_from_store
from ner_head.inference.tagger import Tagger
from ner_head.training.examples import Batch, Example, collate
from ner_head.training.loading import prefetch
from ner_head.training.objective import joint_loss
from ner_head.training.optimizer import HeadOptimizer
from ner_head.training.params import TrainingParams
from ner_head.training.progress import TrainingCallback
from ner_head.training.run import Run
from ner_head.training.state import Checkpoint, Epoch

NO_CALLBACK = TrainingCallback()
ROOM = 0.5  # share of the free memory for the activations of the encoder's layers


@dataclass(frozen=True)
class Trained:
    """The weights of the best and of the last epoch, and the learning curve."""

    best: Epoch
    best_weights: dict[str, Tensor]
    last_weights: dict[str, Tensor]
    curve: list[Epoch]


class Trainer:
    """Trains one head on sentences of a feature store.

    Args:
        head: Head to train. It is moved to the device.
        tag_set: Tags of the head.
        languages: Languages of the head's classifier.
        params: Training params.
        device: Device to train on.
    """

    def __init__(
        self, head: Head, tag_set: TagSet, languages: Sequence[str], *, params: TrainingParams, device: torch.device
    ) -> None:
        self.head, self.tag_set, self.languages = head.to(device), tag_set, languages
        self.params, self.device, self.dtype = params, device, params.dtype(device)
        self.tagger = Tagger(head, tag_set, device)
        if head.encoder_layers is not None:
            head.encoder_layers.room = ROOM * free_memory(device)
        self.optimizer = HeadOptimizer(
            head,
            betas=params.betas,
            decay=params.weight_decay,
            clip=params.clip,
            layer_factors=params.layer_factors(),
        )

    def fit(
        self,
        train: Sequence[Example],
        dev: Sequence[Document],
        store: FeatureStore,
        *,
        callback: TrainingCallback = NO_CALLBACK,
        checkpoint: Checkpoint | None = None,
        last: int = 0,
    ) -> Trained:
        """Train for all epochs, or until `patience` is exhausted.

        Args:
            train: Sentences to train on.
            dev: Documents on which the epoch is selected. Without any, the last epoch is the best one.
            store: Features of both.
            callback: Receives the progress.
            checkpoint: Written after each epoch. If it has a state, the run is resumed from it.
            last: Last epoch, although the learning rate is scheduled for `epochs`; 0 = `stop_after`.
        Raises:
            DataError: There are no sentences to train on, or the store lacks features.
        """
        missing = next((example.name for example in train if example.name not in store), None)
        if not train or missing:
            what = f"no features of {missing}" if missing else "no sentences to train on"
            raise DataError(f"{store.directory}: {what}; run `dvc repro extract`")
        lengths = [self.length(example, store) for example in train]
        run = Run(self.head, self.optimizer)
        if checkpoint and (state := checkpoint.load()):
            run.restore(state)
            callback.resume(run.curve[-1])
        with torch.random.fork_rng():
            while not run.is_over(last or self.params.stop_after or self.params.epochs, self.params.patience):
                start, number = time.perf_counter(), len(run.curve) + 1
                plan = shuffled_batches(lengths, self.params.batch_size, seed=self.params.seed * 10_007 + number)
                batches = [[train[i] for i in batch] for batch in plan]
                loss = self.train_epoch(batches, store.for_epoch(number), number, callback)
                f1 = self.dev_f1(dev, store)
                epoch = Epoch(epoch=number, loss=loss, dev_f1=f1, seconds=time.perf_counter() - start)
                run.add(epoch, best=not dev)
                if checkpoint:
                    checkpoint.save(run.state())
                callback.epoch(epoch)
        return Trained(run.best, run.best_weights, run.weights(), run.curve)

    def length(self, example: Example, store: FeatureStore) -> int:
        """Number of positions of a sentence in the network. Reads only the index of the store."""
        return len(example.word_tags) + 1 if self.head.pieces == "first" else store.n_pieces(example.name)

    def train_epoch(
        self,
        batches: Sequence[Sequence[Example]],
        store: FeatureStore,
        number: int,
        callback: TrainingCallback = NO_CALLBACK,
    ) -> float:
        """Train for one epoch and return the mean loss. Epochs are numbered from 1."""
        self.head.train()
        callback.start_epoch(number, len(batches))
        total = torch.zeros((), device=self.device)
        n_steps, before = len(batches) * self.params.epochs, len(batches) * (number - 1)
        prepared = (collate(chosen, store, self.tag_set, self.head) for chosen in batches)
        if self.device.type == "cuda":
            prepared = (batch.pinned() for batch in prepared)
        for done, batch in enumerate(prefetch(prepared), 1):
            step = before + done - 1
            # dropout depends on seed and step only, so that a resumed run has the same dropout
            seed_dropout(self.device, self.params.seed * 1_000_003 + step)
            total += self._step(batch.to(self.device), self.params.rate(step, n_steps))
            callback.step(done)
        self.optimizer.settle()
        return float(total) / len(batches)

    def _step(self, batch: Batch, rate: float) -> Tensor:
        """Perform one optimizer step and return the loss. No operation here synchronises with a GPU."""
        self.optimizer.prepare(batch.words)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            features = batch.features
            output = self.head(features.hidden, features.mask, batch.steps, batch.words, features.separator)
            loss = joint_loss(self.head, output, batch.steps, batch.tags, batch.languages, batch.allowed)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(rate)
        return loss.detach()

    def dev_f1(self, dev: Sequence[Document], store: FeatureStore) -> float:
        """`strict_f1` of the head in its present state."""
        return strict_f1(self.tagger, dev, store, self.languages)


def strict_f1(tagger: Tagger, dev: Sequence[Document], store: FeatureStore, languages: Sequence[str]) -> float:
    """Strict micro F1 by character offsets; 0 without dev documents."""
    predictions = predict_from_store(tagger, dev, store, languages)
    return total_counts(dev, judged(dev, [prediction.document for prediction in predictions])).scores()["f1"]


def seed_dropout(device: torch.device, seed: int) -> None:
    """Seed the generator that dropout uses on a device. `torch.manual_seed` seeds all devices and is slower."""
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
