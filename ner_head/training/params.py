"""The params of training, apart from the code that they configure: reading them must not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ner_head.params import Params

if TYPE_CHECKING:
    import torch


class TrainingParams(Params):
    """Section `training`."""

    epochs: int = Field(default=20, ge=1)
    most_steps: int = Field(default=3000, ge=0)
    """Fewer epochs are run where all of them take about more steps than this; 0 = any number of steps."""
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    betas: tuple[float, float] = Field(default=(0.9, 0.98), strict=False)  # YAML has lists only
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps over which the rate rises; then it falls linearly to 0."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    stop_after: int = Field(default=0, ge=0)
    """End after so many epochs, although the rate falls until `epochs`; 0 = never."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many epochs without a better dev F1; 0 = never."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of matrix products: `auto` is bfloat16 on a GPU that has it, float32 elsewhere."""
    seed: int = Field(default=0, ge=0)
    committee: int = Field(default=1, ge=1)
    """Heads of different seeds that are trained one after the other and decide together; 1 = a single head."""
    held_out: float = Field(default=0.1, ge=0, le=0.5)
    """Share of train that a second head is trained without, to fit the temperatures on; 0 = none, no second head."""
    new_forms: float = Field(default=0.7, ge=0, le=1)
    """Share of names that train does not have, where the model will be used: temperatures are fitted for that."""

    def members(self) -> list[TrainingParams]:
        """The params of each head's run. Committees of one size and of different seeds share no head's seed."""
        first = self.seed * self.committee
        return [self.model_copy(update={"seed": first + i, "committee": 1}) for i in range(self.committee)]

    def epochs_for(self, n_sentences: int) -> int:
        """Epochs over so many sentences: a small corpus is read many times, a large one once or twice."""
        steps = -(-n_sentences // self.batch_size)
        return max(1, min(self.epochs, round(self.most_steps / steps))) if self.most_steps else self.epochs

    def rate(self, step: int, n_steps: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = self.warmup * n_steps
        share = min((step + 1) / max(warm, 1), (n_steps - step) / max(n_steps - warm, 1), 1.0)
        return self.learning_rate * share

    def dtype(self, device: torch.device) -> torch.dtype:
        """`precision` on a device."""
        import torch

        able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        mixed = able if self.precision == "auto" else self.precision == "bfloat16"
        return torch.bfloat16 if mixed else torch.float32
