"""Networks of transformers, for encoders that `network.py` does not cover and for passes with dropout.

Importing transformers takes seconds, so this module is imported only if an encoder needs it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig, BertModel
from transformers.utils import logging as output

from ner_head.features.extraction.configs import EncoderConfig
from ner_head.features.extraction.network import EncoderNetwork
from ner_head.features.extraction.tensors import checkpoint_names
from ner_head.features.extraction.wordpieces import Definition

LAYERS = ("encoder.layer", "transformer.layer")
"""Where the layers of BERT and its relatives are in a network."""


class TransformersNetwork(EncoderNetwork):
    """A network of transformers."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, mask: Tensor | None, layers: range) -> list[Tensor]:
        """See `EncoderNetwork`."""
        found = self.network(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        return list(found.hidden_states[layers.start : layers.stop])

    def keep_layers(self, n_layers: int) -> None:
        """Remove the layers above the first `n_layers`.

        Other architectures than BERT keep all layers, because the output of their last layer goes through a norm.
        """
        for place in LAYERS:
            owner, _, name = place.rpartition(".")
            with suppress(AttributeError):
                layers = getattr(self.network.get_submodule(owner), name)
                del layers[max(n_layers, 1) :]  # transformers returns no states without layers


def load_safetensors(folder: Path) -> TransformersNetwork:
    """Load a checkpoint, in float32.

    Raises:
        ValueError: tensors are missing.
    """
    silence()
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    network, found = AutoModel.from_pretrained(
        folder,
        config=config,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        output_loading_info=True,
    )
    missing = sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise ValueError(f"its weights lack {len(missing)} tensors, the first is {missing[0]}")
    return TransformersNetwork(network)


def load_bert(
    folder: Path, tensors: Mapping[str, Tensor], words: nn.Module, config: EncoderConfig
) -> TransformersNetwork:
    """A BertModel without a pooler.

    Args:
        folder: folder of `config.json`.
        tensors: those of `BertNetwork`, without the word embeddings.
        words: the word embeddings.
        config: the config in the folder.
    """
    silence()
    given = AutoConfig.from_pretrained(folder, trust_remote_code=False).to_dict()
    # embeddings of one row, replaced below: BertModel would spend time to fill all rows with random numbers
    network: nn.Module = BertModel(BertConfig(**{**given, "vocab_size": 1, "pad_token_id": 0}), add_pooling_layer=False)
    embeddings = network.get_submodule("embeddings")
    embeddings.word_embeddings = nn.Identity()
    names = checkpoint_names(config)
    network.load_state_dict({names[name]: tensor for name, tensor in tensors.items()})
    embeddings.word_embeddings = words
    return TransformersNetwork(network)


def read_tokenizer(folder: Path) -> tuple[Definition, dict[str, Any]]:
    """The tokenizer of a folder with a `vocab.txt`, and the names of its special tokens."""
    silence()
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, trust_remote_code=False)
    return json.loads(tokenizer.backend_tokenizer.to_str()), tokenizer.special_tokens_map


@cache
def silence() -> None:
    """Turn off warnings and progress bars of transformers. The variable TRANSFORMERS_VERBOSITY still has effect."""
    if "TRANSFORMERS_VERBOSITY" not in os.environ:
        output.set_verbosity(logging.ERROR)
    output.disable_progress_bar()  # type: ignore[no-untyped-call]
