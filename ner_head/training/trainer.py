"""The training loop: shuffled length buckets, warm-up and decay, the best epoch on dev kept."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from ner_head.corpus.documents import Document
from ner_head.corpus.tagging import TagSet
from ner_head.errors import DataError
from ner_head.evaluation.spans import Counts, strict_counts
from ner_head.features.batches import shuffled_batches
from ner_head.features.store import FeatureStore
from ner_head.head.model import Head
from ner_head.params import Params
from ner_head.predictions import predict_from_store
from ner_head.tagger import Tagger
from ner_head.training.examples import Example, collate
from ner_head.training.objective import joint_loss


class TrainingParams(Params):
    """Section `training`."""

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    betas: tuple[float, float] = Field(default=(0.9, 0.98), strict=False)  # YAML has lists only
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps over which the rate rises; then it falls linearly to 0."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many epochs without a better dev F1; 0 = never."""
    seed: int = Field(default=0, ge=0)
    held_out: float = Field(default=0.1, ge=0, le=0.5)
    """Share of train that a second head is trained without, to fit the temperatures on; 0 = none, no second head."""
    new_forms: float = Field(default=0.7, ge=0, le=1)
    """Share of names that train does not have, where the model will be used: temperatures are fitted for that."""


@dataclass(frozen=True)
class Epoch:
    """One line of the learning curve."""

    epoch: int
    loss: float
    dev_f1: float
    seconds: float


@dataclass(frozen=True)
class Trained:
    """The weights of the best epoch and the whole curve."""

    state: dict[str, Tensor]
    best: Epoch
    curve: list[Epoch]


class Trainer:
    """Fits one head to the train sentences of a store."""

    def __init__(
        self, head: Head, tag_set: TagSet, languages: Sequence[str], *, params: TrainingParams, device: torch.device
    ) -> None:
        self.head, self.tag_set, self.languages = head.to(device), tag_set, languages
        self.params, self.device = params, device
        self.tagger = Tagger(head, tag_set, device)
        self.optimizer = torch.optim.AdamW(
            head.parameters(), lr=params.learning_rate, betas=params.betas, weight_decay=params.weight_decay
        )

    def fit(
        self,
        train: Sequence[Example],
        dev: Sequence[Document],
        store: FeatureStore,
        on_epoch: Callable[[Epoch], None] = lambda _: None,
        last: int = 0,
    ) -> Trained:
        """Train for all epochs, or until patience ends, or epoch `last`, if not 0.

        Raises:
            DataError: there is nothing to train on, or the store lacks features.
        """
        missing = next((example.name for example in train if example.name not in store), None)
        if not train or missing:
            what = f"no features of {missing}" if missing else "no sentences to train on"
            raise DataError(f"{store.directory}: {what}; run `dvc repro extract`")
        lengths = [store.n_pieces(example.name) for example in train]
        n_batches = -(-len(train) // self.params.batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate(n_batches * self.params.epochs))
        curve: list[Epoch] = []
        best, state = None, self.head.state_dict()
        with torch.random.fork_rng():
            torch.manual_seed(self.params.seed)  # dropout
            for number in range(1, (last or self.params.epochs) + 1):
                start = time.perf_counter()
                plan = shuffled_batches(lengths, self.params.batch_size, seed=self.params.seed * 10_007 + number)
                loss = self._epoch([[train[i] for i in batch] for batch in plan], store.for_epoch(number), schedule)
                epoch = Epoch(number, loss, self.dev_f1(dev, store), time.perf_counter() - start)
                curve.append(epoch)
                on_epoch(epoch)
                if best is None or epoch.dev_f1 > best.dev_f1 or not dev:
                    best, state = epoch, copy.deepcopy(self.head.state_dict())
                elif self.params.patience and number - best.epoch >= self.params.patience:
                    break
        assert best is not None  # there is at least one epoch
        return Trained(state, best, curve)

    def _rate(self, n_steps: int) -> Callable[[int], float]:
        warm = self.params.warmup * n_steps
        return lambda step: min((step + 1) / max(warm, 1), (n_steps - step) / max(n_steps - warm, 1), 1.0)

    def _epoch(
        self, batches: Sequence[Sequence[Example]], store: FeatureStore, schedule: torch.optim.lr_scheduler.LambdaLR
    ) -> float:
        """One pass; returns the mean loss."""
        self.head.train()
        total = torch.zeros((), device=self.device)
        for chosen in batches:
            batch = collate(chosen, store, self.tag_set).to(self.device)
            output = self.head(batch.features.hidden, batch.features.mask, batch.steps, batch.words)
            loss = joint_loss(self.head, output, batch.steps, batch.tags, batch.languages)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.head.parameters(), self.params.clip)
            self.optimizer.step()
            schedule.step()
            total += loss.detach()
        return float(total) / len(batches)

    def dev_f1(self, dev: Sequence[Document], store: FeatureStore) -> float:
        """Strict micro F1 by character offsets; 0 without dev documents."""
        counts = Counts()
        for predicted, gold in zip(predict_from_store(self.tagger, dev, store, self.languages), dev, strict=True):
            counts = sum(strict_counts(gold.spans, predicted.document.spans).values(), counts)
        return counts.scores()["f1"]
