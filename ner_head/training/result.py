"""The result of a training run: two models, and reports about the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

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
        checkpoints: Checkpoints that can be removed when the result has been saved.
    """

    best: SavedModel
    last: SavedModel
    curves: Sequence[Sequence[Epoch]]
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
        """Size and score of the run. `dev_f1` is absent without dev.

        No time is in it: the same run has the same report, so that dvc.lock stays as it is.
        """
        record = self.best.manifest.training
        return {
            "parameters": n_parameters(self.best.head),
            "epochs": max(map(len, self.curves)),
            "best_epoch": record.epoch,
            **({"dev_f1": record.dev_f1} if record.dev_f1 is not None else {}),
        }

    def discard_checkpoints(self) -> None:
        """Remove the checkpoints of the run."""
        for checkpoint in self.checkpoints:
            checkpoint.discard()


def n_parameters(head: AnyHead) -> int:
    """Number of trainable parameters of a head or a committee."""
    return sum(parameter.numel() for parameter in head.parameters() if parameter.requires_grad)
