"""The encoder's shape and how it starts."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import BertConfig, BertModel


@dataclass(frozen=True)
class Recipe:
    """What decides the model; everything else (device, minutes) only decides how far it gets."""

    hidden_size: int = 192
    intermediate_size: int = 384
    layers: int = 12
    first_layers: int = 4  # so many are trained first, in `first_minutes`; the others grow on them
    first_minutes: float = 150
    heads: int = 4
    row: int = 128
    rows_per_step: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    cooldown: float = 0.3  # share of the time in which the rate falls to 0
    weight_decay: float = 0.01
    averaged: float = 0.998  # of the mean of the weights stays in each step's
    hidden_words: float = 0.15  # share of the words whose pieces are all hidden
    half_hidden_words: float = 0.1  # share of the words of which each piece is hidden or not
    seed: int = 0


def build(recipe: Recipe, embeddings: Tensor) -> BertModel:
    """The first layers: piece embeddings as given, (V, hidden_size), fresh weights elsewhere."""
    config = BertConfig(
        vocab_size=len(embeddings),
        hidden_size=recipe.hidden_size,
        num_hidden_layers=recipe.first_layers,
        num_attention_heads=recipe.heads,
        intermediate_size=recipe.intermediate_size,
        max_position_embeddings=recipe.row,
        type_vocab_size=2,
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model = BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.copy_(embeddings)
        for layer in model.encoder.layer:  # small residual branches keep post-norm layers stable
            for branch in (layer.attention.output.dense, layer.output.dense):
                branch.weight.mul_(1 / math.sqrt(2 * recipe.layers))
    return model


@torch.no_grad()
def grow(shallow: BertModel, layers: int) -> BertModel:
    """A deeper BERT that says about what the shallow one does (after Gong et al., 2019, and Chen et al., 2016).

    Behind each layer stand copies of it whose branches add nothing to the residual stream at first, so that a mix of
    all layers sees each stage of the shallow one as often as before.
    """
    deep = copy.deepcopy(shallow)
    old, stack = shallow.encoder.layer, deep.encoder.layer
    for _ in range(layers - len(old)):
        stack.append(copy.deepcopy(old[0]))
    for index in range(layers):
        source = index * len(old) // layers
        layer = copy.deepcopy(old[source])
        if index and source == (index - 1) * len(old) // layers:
            for branch in (layer.attention.output, layer.output):
                branch.dense.weight.zero_()
                branch.dense.bias.zero_()
                branch.LayerNorm.load_state_dict(old[source].output.LayerNorm.state_dict())
        stack[index] = layer
    deep.config.num_hidden_layers = layers
    return deep
