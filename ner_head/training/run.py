"""The state of a training run in memory."""

from __future__ import annotations

from torch import Tensor

from ner_head.head.model import Head
from ner_head.training.optimizer import HeadOptimizer
from ner_head.training.state import Epoch, RunRecord, RunState


class Run:
    """A training run: head, optimizer, learning curve, and the weights of the best epoch."""

    def __init__(self, head: Head, optimizer: HeadOptimizer) -> None:
        self.head, self.optimizer = head, optimizer
        self.curve: list[Epoch] = []
        self.best = Epoch(epoch=0, loss=0.0, dev_f1=-1.0, seconds=0.0)
        self.best_weights: dict[str, Tensor] = {}

    def weights(self) -> dict[str, Tensor]:
        """A copy of the current weights of the head."""
        return {name: tensor.detach().clone() for name, tensor in self.head.state_dict().items()}

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or `patience` epochs without improvement (0 = any number)."""
        done = len(self.curve)
        return done >= epochs or 0 < patience <= done - self.best.epoch

    def add(self, epoch: Epoch, *, best: bool) -> None:
        """Add a finished epoch. It is the best one if its dev F1 is, or if `best` is set."""
        self.curve.append(epoch)
        if best or epoch.dev_f1 > self.best.dev_f1:
            self.best, self.best_weights = epoch, self.weights()

    def state(self) -> RunState:
        """The state as tensors and a record, for a checkpoint."""
        tensors = {f"last.{name}": tensor for name, tensor in self.head.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best_weights.items()}
        moments = {f"optimizer.{name}": tensor for name, tensor in self.optimizer.state().items()}
        return RunState(RunRecord(curve=self.curve, best=self.best), tensors | moments)

    def restore(self, state: RunState) -> None:
        """Restore a state from a checkpoint."""
        self.curve, self.best = list(state.record.curve), state.record.best
        self.head.load_state_dict(state.part("last"))
        self.best_weights = state.part("best")
        self.optimizer.restore(state.part("optimizer"))
