"""The result of a training run: two models, and reports about the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from ner_head.head.committee import AnyHead
from ner_head.inference.saved_model import SavedModel
from ner_head.training.state import Checkpoint, Epoch


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training run.

    Attributes:
        best: Model of the best epoch on dev; without dev, of the last epoch.
        last: Model of the last epoch.
        curves: Learning curve of each head.
        n_words: Number of words of the train split.
        checkpoints: Checkpoints that can be removed when the result has been saved.
    """

    best: SavedModel
    last: SavedModel
    curves: Sequence[Sequence[Epoch]]
    n_words: int
    checkpoints: Sequence[Checkpoint]

    def learning_curve(self) -> list[list[object]]:
        """Rows of epoch, loss and dev F1, which is empty without dev. For a committee, means of its heads."""
        scored, rows = self.best.manifest.training.dev_f1 is not None, list[list[object]]()
        for number in range(1, 1 + max(map(len, self.curves))):
            epochs = [curve[number - 1] for curve in self.curves if len(curve) >= number]
            f1 = fmean(epoch.dev_f1 for epoch in epochs) if scored else ""
            rows.append([number, fmean(epoch.loss for epoch in epochs), f1])
        return rows

    def layer_weights(self) -> list[list[object]]:
        """Rows of encoder layer and its weight in the mix, averaged over dimensions and heads."""
        head = self.best.head
        weights = zip(head.mixed, head.layer_weights().detach().cpu(), strict=True)
        return [[f"{i:02}", float(w.mean())] for i, w in weights]  # two digits, because plots sort layers as text

    def report(self) -> dict[str, float]:
        """Size, score and speed of the run, for `dvc metrics` and `dvc exp show`. `dev_f1` is absent without dev."""
        record, seconds = self.best.manifest.training, median(e.seconds for curve in self.curves for e in curve)
        return {
            "parameters": n_parameters(self.best.head),
            "epochs": max(map(len, self.curves)),
            "best_epoch": record.epoch,
            **({"dev_f1": record.dev_f1} if record.dev_f1 is not None else {}),
            "seconds_per_epoch": round(seconds, 2),
            "words_per_second": round(self.n_words / seconds),
        }

    def discard_checkpoints(self) -> None:
        """Remove the checkpoints of the run."""
        for checkpoint in self.checkpoints:
            checkpoint.discard()


def n_parameters(head: AnyHead) -> int:
    """Number of trainable parameters of a head or a committee."""
    return sum(parameter.numel() for parameter in head.parameters() if parameter.requires_grad)
