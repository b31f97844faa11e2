"""The last layers of an encoder as a part of the head, so that they can be trained from cached hidden states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ner_head.base.errors import DataError
from ner_head.base.params import Params

Activation = Literal["gelu", "gelu_new", "relu", "silu"]
ACTIVATIONS: dict[Activation, nn.Module] = {
    "gelu": nn.GELU(),
    "gelu_new": nn.GELU(approximate="tanh"),
    "relu": nn.ReLU(),
    "silu": nn.SiLU(),
}


class LayerShape(Params):
    """What an encoder's layers have in common."""

    width: int = Field(ge=1)
    """D."""
    heads: int = Field(ge=1)
    intermediate: int = Field(ge=1)
    """Units between the two products of the feed-forward network."""
    activation: Activation = "gelu"
    epsilon: float = Field(default=1e-12, gt=0)
    """Of the layer norms."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Of the attention weights and of both outputs, as the encoder was trained with."""


class LowRank(nn.Module):
    """A linear layer whose weights stay, plus a product of two thin matrices that is trained (LoRA, Hu et al., 2022).

    y = W x + b + (alpha / r) B A x, with A (r, in) random and B (out, r) zero at the start.
    """

    def __init__(self, plain: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.plain = plain.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, plain.in_features))
        self.up = nn.Parameter(torch.zeros(plain.out_features, rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        result: Tensor = self.plain(x) + (x @ self.down.T) @ self.up.T * self.scale
        return result


class EncoderLayer(nn.Module):
    """One layer of BERT and its relatives (Devlin et al., 2018): attention, then a feed-forward network.

    Each is followed by dropout, the residual connection and a layer norm.
    """

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        width = shape.width
        self.heads, self.dropout = shape.heads, shape.dropout
        self.query: nn.Module = nn.Linear(width, width)
        self.value: nn.Module = nn.Linear(width, width)
        self.key, self.output = nn.Linear(width, width), nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, shape.epsilon)
        self.up, self.down = nn.Linear(width, shape.intermediate), nn.Linear(shape.intermediate, width)
        self.output_norm = nn.LayerNorm(width, shape.epsilon)
        self.activation = ACTIVATIONS[shape.activation]

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Hidden states of the layer below, (B, P, D), to those of this layer, (B, P, D).

        Args:
            states: with the states of [SEP] behind the last piece.
            mask: (B, 1, 1, P) bool, which places may be attended to.
        """
        size = (*states.shape[:2], self.heads, states.shape[2] // self.heads)
        query, key, value = (part(states).view(size).transpose(1, 2) for part in (self.query, self.key, self.value))
        share = self.dropout if self.training else 0.0
        found = nn.functional.scaled_dot_product_attention(query, key, value, mask, dropout_p=share)
        found = self.output(found.transpose(1, 2).flatten(2))
        states = self.attention_norm(states + nn.functional.dropout(found, self.dropout, self.training))
        found = self.down(self.activation(self.up(states)))
        result: Tensor = self.output_norm(states + nn.functional.dropout(found, self.dropout, self.training))
        return result

    def adapt(self, rank: int, alpha: float) -> None:
        """Freeze the layer and train a low-rank addition to its queries and values instead."""
        self.requires_grad_(False)
        for name in ("query", "value"):
            plain = getattr(self, name)
            assert isinstance(plain, nn.Linear)  # adapted once
            setattr(self, name, LowRank(plain, rank, alpha))


class EncoderLayers(nn.Module):
    """The last N layers of an encoder.

    Args:
        shape: of each layer.
        n_layers: N.
        rank: of the low-rank additions that are trained instead of the layers' weights; 0 = the weights themselves.
    """

    def __init__(self, shape: LayerShape, n_layers: int, *, rank: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(shape) for _ in range(n_layers))
        self.rank = rank
        self.checkpointing = False

    def forward(self, states: Tensor, last: Tensor, mask: Tensor) -> list[Tensor]:
        """Cached states of the layer below the first of these, to the states of each of these.

        Args:
            states: (B, P, D) float32, padded.
            last: states of [SEP], (B, D). It stands behind the last piece and is attended to.
            mask: (B, P) bool, left-aligned: real pieces.
        Returns:
            N tensors, (B, P, D), without [SEP]. What stands at padded places has no meaning.
        """
        lengths = mask.sum(1)
        states = torch.cat([states, states.new_zeros(len(states), 1, states.shape[2])], 1)
        place = lengths[:, None, None].expand(-1, 1, states.shape[2])
        states = states.scatter(1, place, last[:, None].to(states.dtype))
        seen = (torch.arange(states.shape[1], device=states.device) <= lengths[:, None])[:, None, None]
        found = []
        for layer in self.layers:
            if self.checkpointing and self.training:
                states = torch.utils.checkpoint.checkpoint(layer, states, seen, use_reentrant=False)
            else:
                states = layer(states, seen)
            found.append(states[:, :-1])
        return found

    def load(self, tensors: Mapping[str, Tensor], first: int) -> None:
        """Take the weights of an encoder's layers `first`, `first` + 1 ... (counted from 1).

        Args:
            tensors: `NUMBER.PART.weight` and `NUMBER.PART.bias`, as `features/extraction/layers.py` names them.
            first: number of the lowest of these layers.
        Raises:
            DataError: a tensor is absent or has another shape.
        """
        for number, layer in enumerate(self.layers, first):
            assert isinstance(layer, EncoderLayer)
            start = f"{number}."
            part = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
            try:
                layer.load_state_dict(part)
            except RuntimeError as error:
                why = " ".join(str(error).split())[:200]
                raise DataError(f"layer {number} of the encoder does not fit: {why}; run `dvc repro extract`") from None
            if self.rank:
                layer.adapt(self.rank, alpha=2.0 * self.rank)
