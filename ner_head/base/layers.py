"""Layers of an encoder: which of them, and what they have in common.

Imports no torch, because params are read without it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ner_head.base.errors import UsageError
from ner_head.base.params import Params

PATTERN = r"^(all|last(-[1-9]\d*)?|(0|[1-9]\d*)(-[1-9]\d*)?)$"
Activation = Literal["gelu", "gelu_new", "relu", "silu"]


def _text(value: object) -> object:
    """YAML's 7 is a number."""
    return str(value) if type(value) is int else value


LayerChoice = Annotated[str, BeforeValidator(_text), Field(pattern=PATTERN)]
"""Layers of an encoder: `all`, `last`, the last few (`last-8`), one by its number (`7`), or a range (`8-12`).

Layers are numbered from 1 to L; 0 is the output of the embeddings, which is no part of `all`.
"""


def layer_range(layers: str, n_layers: int, *, param: str, lowest: int = 1) -> range:
    """The numbers of the chosen layers. `last-8` means the last 8, or all if there are fewer.

    Args:
        layers: a `LayerChoice`.
        n_layers: number of layers of the encoder, L.
        param: name of the param, for the error message.
        lowest: smallest number that may be chosen.
    Raises:
        UsageError: the encoder does not have these layers.
    """
    if layers.startswith("last-"):
        return range(max(0, n_layers - int(layers.removeprefix("last-"))) + 1, n_layers + 1)
    first, _, last = {"all": f"1-{n_layers}", "last": str(n_layers)}.get(layers, layers).partition("-")
    start, stop = int(first), int(last or first) + 1
    if not lowest <= start < stop <= n_layers + 1:
        raise UsageError(f"{param}: {layers}, but the encoder has layers {lowest} to {n_layers}")
    return range(start, stop)


def spell(layers: range) -> str:
    """The `LayerChoice` of consecutive layers: `8` or `8-12`."""
    return f"{layers[0]}-{layers[-1]}" if len(layers) > 1 else f"{layers[0]}"


class LayerShape(Params):
    """What the layers of an encoder have in common."""

    width: int = Field(ge=1)
    """Size of a hidden state, D."""
    heads: int = Field(ge=1)
    """Number of attention heads."""
    intermediate: int = Field(ge=1)
    """Number of units between the two products of the feed-forward network."""
    activation: Activation = "gelu"
    epsilon: float = Field(default=1e-12, gt=0)
    """Epsilon of the layer norms."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout of the attention weights and of both outputs, as in the training of the encoder."""
