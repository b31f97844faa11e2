"""Section `link` of `params.yaml`. Imports no torch."""

from __future__ import annotations

from pydantic import Field

from ner_head.base.params import Params


class LinkParams(Params):
    """How mentions of one entity are joined."""

    layers: list[int] = Field(default=[8, 12], min_length=1)
    """Layers of the encoder whose vectors are compared."""
    neighbours: int = Field(default=3, ge=0)
    """Nearest names in each language, by each layer and by spelling, that a name is compared with."""
    hidden: int = Field(default=32, ge=1)
    """Units of the network that says whether two names are one entity."""
    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=5e-3, gt=0)
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Least mean probability at which two groups of names are joined."""
    seed: int = Field(default=0, ge=0)
