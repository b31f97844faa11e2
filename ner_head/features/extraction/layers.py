"""The weights of an encoder's layers under one set of names, whatever its family calls them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import ValidationError
from torch import Tensor, nn

from ner_head.base.errors import DataError
from ner_head.base.layers import LayerShape

if TYPE_CHECKING:
    from transformers import PretrainedConfig

BERT = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "output_norm",
}
DISTILBERT = {
    "attention.q_lin": "query",
    "attention.k_lin": "key",
    "attention.v_lin": "value",
    "attention.out_lin": "output",
    "sa_layer_norm": "attention_norm",
    "ffn.lin1": "up",
    "ffn.lin2": "down",
    "output_layer_norm": "output_norm",
}
PARTS = {"encoder.layer": BERT, "transformer.layer": DISTILBERT}
"""Where the layers are in a network, and the names of their parts (transformers) -> ours (`head/encoder_layers.py`)."""


def layer_weights(network: nn.Module) -> dict[str, Tensor]:
    """The weights of all layers, float32, as `NUMBER.PART.weight` and `NUMBER.PART.bias`; layers count from 1.

    Args:
        network: of transformers, before its products are packed.
    Raises:
        DataError: an architecture with other layers than BERT's.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        for place, parts in PARTS.items():
            if name.startswith(f"{place}."):
                number, _, rest = name.removeprefix(f"{place}.").partition(".")
                part, _, kind = rest.rpartition(".")
                if part not in parts:
                    raise DataError(f"a layer of this encoder has a part {part!r}, which BERT's layers lack")
                found[f"{int(number) + 1}.{parts[part]}.{kind}"] = tensor.detach().cpu().contiguous().clone()
    if not found:
        name = type(network).__name__
        raise DataError(f"{name}: its layers are not BERT's, so they cannot be trained from the cache")
    return found


def keep_layers(network: nn.Module, n_layers: int) -> None:
    """Remove the layers above the first `n_layers`, so that they are not computed.

    Other architectures than BERT keep all layers, because the output of their last layer goes through a norm.

    Args:
        network: of transformers.
        n_layers: number of layers to keep.
    """
    for place in PARTS:
        owner, _, name = place.rpartition(".")
        with suppress(AttributeError):
            layers = getattr(network.get_submodule(owner), name)
            del layers[max(n_layers, 1) :]  # transformers returns no states without layers


def layer_shape(config: PretrainedConfig) -> LayerShape:
    """The shape of the layers, from a config of transformers.

    Raises:
        DataError: the layers are not those of BERT, or have an activation function that `head/encoder_layers.py` lacks.
    """
    distilbert = config.model_type == "distilbert"
    try:
        return LayerShape(
            width=config.dim if distilbert else config.hidden_size,
            heads=config.n_heads if distilbert else config.num_attention_heads,
            intermediate=config.hidden_dim if distilbert else config.intermediate_size,
            activation=config.activation if distilbert else config.hidden_act,
            epsilon=1e-12 if distilbert else config.layer_norm_eps,
            dropout=config.dropout if distilbert else config.hidden_dropout_prob,
        )
    except AttributeError as error:
        raise DataError(f"the layers of this encoder are not BERT's: its config has no {error.name}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"the layers of this encoder: {first['loc'][0]}: {first['msg']}") from None
