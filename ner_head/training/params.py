"""The params of training. They are in a module of their own, so that reading them does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ner_head.base.params import Params

if TYPE_CHECKING:
    import torch


class TrainingParams(Params):
    """Section `training`."""

    epochs: int = Field(default=20, ge=1)
    most_steps: int = Field(default=3000, ge=0)
    """Approximate maximum number of steps; 0 = no maximum. `epochs` is lowered accordingly for a large corpus."""
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    betas: tuple[float, float] = Field(default=(0.9, 0.98), strict=False)  # YAML has lists only
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps with a rising learning rate. After them it falls linearly to 0."""
    clip: float = Field(default=1.0, gt=0)
    """Maximum norm of the gradient."""
    stop_after: int = Field(default=0, ge=0)
    """Last epoch, although the learning rate is scheduled for `epochs`; 0 = all epochs."""
    patience: int = Field(default=0, ge=0)
    """Number of epochs without a better dev F1 after which training stops; 0 = never."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of matrix products: `auto` is bfloat16 on a GPU that supports it, and float32 elsewhere."""
    tune_layers: int = Field(default=0, ge=0)
    """Number of the encoder's last layers that are trained too; 0 = none."""
    tune_rate: float = Field(default=2e-4, gt=0)
    """Learning rate of the encoder's last layer."""
    tune_decay: float = Field(default=0.9, gt=0, le=1)
    """Factor of the learning rate from each of these layers to the one below it."""
    tune_rank: int = Field(default=0, ge=0)
    """Rank of low-rank additions to queries and values that are trained instead of the layers' weights; 0 = none."""
    seed: int = Field(default=0, ge=0)
    committee: int = Field(default=1, ge=1)
    """Number of heads of different seeds, trained in turn, whose mean scores are decoded; 1 = a single head."""
    held_out: float = Field(default=0.1, ge=0, le=0.5)
    """Share of train documents that are held out to fit the temperatures, with a second head; 0 = no second head."""
    new_forms: float = Field(default=0.7, ge=0, le=1)
    """Expected share of names that are missing from train, in the texts that the model is used on.

    The temperatures are fitted for this share.
    """

    def members(self) -> list[TrainingParams]:
        """The params of each head of a committee. Committees of the same size with different seeds share no seed."""
        first = self.seed * self.committee
        return [self.model_copy(update={"seed": first + i, "committee": 1}) for i in range(self.committee)]

    def epochs_for(self, n_sentences: int) -> int:
        """Number of epochs for a number of sentences: `epochs`, or fewer to stay near `most_steps`."""
        steps = -(-n_sentences // self.batch_size)
        return max(1, min(self.epochs, round(self.most_steps / steps))) if self.most_steps else self.epochs

    def rate(self, step: int, n_steps: int) -> float:
        """The learning rate of a step. Steps are numbered from 0."""
        warm = self.warmup * n_steps
        share = min((step + 1) / max(warm, 1), (n_steps - step) / max(n_steps - warm, 1), 1.0)
        return self.learning_rate * share

    def layer_factors(self) -> list[float]:
        """The learning rate of each tuned layer as a multiple of `learning_rate`, from the lowest to the last layer."""
        top = self.tune_rate / self.learning_rate
        return [top * self.tune_decay**depth for depth in reversed(range(self.tune_layers))]

    def dtype(self, device: torch.device) -> torch.dtype:
        """The type of matrix products on a device."""
        import torch

        able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        mixed = able if self.precision == "auto" else self.precision == "bfloat16"
        return torch.bfloat16 if mixed else torch.float32
