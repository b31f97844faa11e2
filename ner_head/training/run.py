"""A training run in memory."""

from __future__ import annotations

from torch import Tensor

from ner_head.head.model import Head
from ner_head.training.optimizer import HeadOptimizer
from ner_head.training.state import Epoch, RunRecord, RunState


class Run:
    """A run in memory: a head, its optimizer, its curve so far, and the weights of its best epoch."""

    def __init__(self, head: Head, optimizer: HeadOptimizer) -> None:
        self.head, self.optimizer = head, optimizer
        self.curve: list[Epoch] = []
        self.best = Epoch(epoch=0, loss=0.0, dev_f1=-1.0, seconds=0.0)
        self.best_weights: dict[str, Tensor] = {}

    def weights(self) -> dict[str, Tensor]:
        """A copy of the head's weights as they are now."""
        return {name: tensor.detach().clone() for name, tensor in self.head.state_dict().items()}

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or so many (0 = any number) without a better one."""
        done = len(self.curve)
        return done >= epochs or 0 < patience <= done - self.best.epoch

    def add(self, epoch: Epoch, *, best: bool) -> None:
        """An epoch is over; `best` takes it for the best whatever its F1 is."""
        self.curve.append(epoch)
        if best or epoch.dev_f1 > self.best.dev_f1:
            self.best, self.best_weights = epoch, self.weights()

    def state(self) -> RunState:
        """All of it, for the disk."""
        tensors = {f"last.{name}": tensor for name, tensor in self.head.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best_weights.items()}
        moments = {f"optimizer.{name}": tensor for name, tensor in self.optimizer.state().items()}
        return RunState(RunRecord(curve=self.curve, best=self.best), tensors | moments)

    def restore(self, state: RunState) -> None:
        """Take up a run where it was left."""
        self.curve, self.best = list(state.record.curve), state.record.best
        self.head.load_state_dict(state.part("last"))
        self.best_weights = state.part("best")
        self.optimizer.restore(state.part("optimizer"))
