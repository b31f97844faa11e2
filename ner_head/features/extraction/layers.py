"""The weights of an encoder's layers under one set of names, whatever its family calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from ner_head.base.errors import DataError

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


def layer_shape(config: PretrainedConfig) -> dict[str, int | float | str]:
    """Fields of `head.encoder_layers.LayerShape`, from a config of transformers."""
    if config.model_type == "distilbert":
        return {
            "width": config.dim,
            "heads": config.n_heads,
            "intermediate": config.hidden_dim,
            "activation": config.activation,
            "epsilon": 1e-12,
            "dropout": config.dropout,
        }
    return {
        "width": config.hidden_size,
        "heads": config.num_attention_heads,
        "intermediate": config.intermediate_size,
        "activation": config.hidden_act,
        "epsilon": config.layer_norm_eps,
        "dropout": config.hidden_dropout_prob,
    }
