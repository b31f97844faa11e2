"""The last layers of an encoder as a part of the head, so that they can be trained from cached hidden states."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ner_head.base.errors import DataError
from ner_head.base.layers import LayerShape
from ner_head.bert import EncoderLayer
from ner_head.head.context import attend
from ner_head.head.dropout import Dropout

SCALE = 2.0  # alpha / r
ADAPTED = ("query", "value")  # parts that get low-rank additions


class LowRank(nn.Module):
    """A linear layer whose weights stay, plus a product of two thin matrices that is trained (LoRA, Hu et al., 2022).

    y = W x + b + (alpha / r) B A x, with A (r, in) random and B (out, r) zero at the start; alpha = 2 r here.
    """

    def __init__(self, plain: nn.Linear, rank: int) -> None:
        super().__init__()
        self.plain = plain.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, plain.in_features))
        self.up = nn.Parameter(torch.zeros(plain.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        result: Tensor = self.plain(x) + (x @ self.down.T) @ self.up.T * SCALE
        return result


class TunedLayer(EncoderLayer):
    """A layer of the encoder with dropout: of the attention weights and of both outputs."""

    def __init__(self, shape: LayerShape) -> None:
        super().__init__(shape)
        self.dropout: Dropout = Dropout(shape.dropout)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """softmax(q k^T / sqrt(d)) v with dropout of the softmax, all (B, heads, P, d); mask as in `forward`."""
        return attend(query, key, value, mask, self.dropout)

    def adapt(self, rank: int) -> None:
        """Freeze the layer and train a low-rank addition to its queries and values instead."""
        self.requires_grad_(False)
        for name in ADAPTED:
            plain = getattr(self, name)
            assert isinstance(plain, nn.Linear)  # adapted once
            setattr(self, name, LowRank(plain, rank))


class EncoderLayers(nn.Module):
    """The last N layers of an encoder. Fresh ones have random weights; `load` takes those of an encoder.

    Args:
        shape: of each layer.
        n_layers: N.
        rank: of the low-rank additions that are trained instead of the layers' weights; 0 = the weights themselves.

    Attributes:
        room: bytes of activations above which the layers are computed again in the backward pass, one by one.
    """

    def __init__(self, shape: LayerShape, n_layers: int, *, rank: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TunedLayer(shape) for _ in range(n_layers))
        self.shape, self.rank, self.room = shape, rank, math.inf
        for layer in self.layers if rank else ():
            assert isinstance(layer, TunedLayer)
            layer.adapt(rank)

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
        states = torch.cat([states, states.new_zeros(states.shape[0], 1, states.shape[2])], 1)
        place = lengths[:, None, None].expand(-1, 1, states.shape[2])
        states = states.scatter(1, place, last[:, None].to(states.dtype))
        seen = (torch.arange(states.shape[1], device=states.device) <= lengths[:, None])[:, None, None]
        checkpointed = self.training and self.activations(*states.shape[:2]) > self.room
        found = []
        for layer in self.layers:
            states = checkpoint(layer, states, seen, use_reentrant=False) if checkpointed else layer(states, seen)
            found.append(states[:, :-1])
        return found

    def activations(self, n_sentences: int, n_pieces: int) -> int:
        """Approximate number of bytes that a forward pass keeps for the backward pass."""
        shape = self.shape
        numbers = 12 * shape.width + 2 * shape.intermediate + 3 * shape.heads * n_pieces
        return 4 * len(self.layers) * n_sentences * n_pieces * numbers

    def load(self, tensors: Mapping[str, Tensor], first: int) -> None:
        """Take the weights of an encoder's layers `first`, `first` + 1 ... (counted from 1).

        Args:
            tensors: `NUMBER.PART.weight` and `NUMBER.PART.bias`, as `features/extraction/tensors.py` names them.
            first: number of the lowest of these layers.
        Raises:
            DataError: a tensor is absent or has another shape.
        """
        for number, layer in enumerate(self.layers, first):
            start = f"{number}."
            part = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
            if self.rank:
                part = {name.replace(".", ".plain.") if name.startswith(ADAPTED) else name: part[name] for name in part}
                part |= adaptation(layer.state_dict())
            try:
                layer.load_state_dict(part)
            except RuntimeError as error:
                why = " ".join(str(error).split())[:200]
                raise DataError(f"layer {number} of the encoder does not fit: {why}; run `dvc repro extract`") from None


def adaptation(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of a state dict's tensors that are low-rank additions."""
    return {name: tensor for name, tensor in tensors.items() if name.endswith((".down", ".up"))}
