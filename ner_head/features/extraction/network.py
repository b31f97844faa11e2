"""The network of BERT and its relatives, without dropout: word pieces to the hidden states of every layer.

Its hidden states equal those of transformers to the last bit, and importing it takes no time beside torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ner_head.bert import EncoderLayer
from ner_head.features.extraction.configs import EncoderConfig


class Embeddings(nn.Module):
    """The sum of the embeddings of words, token types and positions, then a layer norm.

    ELECTRA projects narrower embeddings to the width of the layers. All pieces are of token type 0.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size = config.embedding_size
        self.padding, self.behind_padding = config.padding, config.family.positions_behind_padding
        self.words: nn.Module = table(config.vocab_size, size)
        self.positions = table(config.max_position_embeddings, size)
        self.types = table(config.type_vocab_size, size) if config.type_vocab_size else None
        self.norm = nn.LayerNorm(size, config.layer_norm_eps)
        self.project: nn.Module = nn.Linear(size, config.hidden_size) if size != config.hidden_size else nn.Identity()

    def forward(self, ids: Tensor) -> Tensor:
        """(B, P) -> (B, P, D)."""
        states: Tensor = self.words(ids)
        if self.types is not None:
            states = states + self.types.weight[0]
        places = self.behind(ids) if self.behind_padding else torch.arange(ids.shape[1], device=ids.device)
        states = self.norm(states + self.positions(places))
        projected: Tensor = self.project(states)
        return projected

    def behind(self, ids: Tensor) -> Tensor:
        """Positions from the padding id + 1, (B, P) -> (B, P); padding has the padding id."""
        real = ids != self.padding
        return real.cumsum(1) * real + self.padding


def table(n_rows: int, size: int) -> nn.Embedding:
    """Embeddings without values. Random numbers would import torch's compiler, which takes seconds."""
    return nn.Embedding(n_rows, size, _weight=torch.empty(n_rows, size))


class EncoderNetwork(nn.Module, ABC):
    """An encoder as `Encoder` uses it, whoever computes the layers."""

    @abstractmethod
    def forward(self, ids: Tensor, mask: Tensor | None, layers: range) -> list[Tensor]:
        """Hidden states of some layers; 0 is the output of the embeddings.

        Args:
            ids: (B, P) piece ids.
            mask: (B, P) bool, left-aligned: real pieces; None if all are.
            layers: numbers of the layers.
        Returns:
            One tensor (B, P, D) per layer.
        """

    @abstractmethod
    def keep_layers(self, n_layers: int) -> None:
        """Remove the layers above the first `n_layers`, so that they are not computed."""


class BertNetwork(EncoderNetwork):
    """Embeddings and layers, in evaluation mode. Its parameters have no values before they are loaded.

    Args:
        config: a config with `computed_here`, or one whose layers are BERT's.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        with torch.device("meta"):  # random numbers for all parameters would take seconds
            self.embeddings = Embeddings(config)
            shape = config.layer_shape()
            self.layers = nn.ModuleList(EncoderLayer(shape) for _ in range(config.num_hidden_layers))

    def forward(self, ids: Tensor, mask: Tensor | None, layers: range) -> list[Tensor]:
        """See `EncoderNetwork`."""
        seen = None if mask is None else mask[:, None, None]
        states = self.embeddings(ids)
        found = [states] if 0 in layers else []
        for number, layer in enumerate(self.layers, 1):
            states = layer(states, seen)
            if number in layers:
                found.append(states)
        return found

    def keep_layers(self, n_layers: int) -> None:
        """See `EncoderNetwork`."""
        del self.layers[n_layers:]
