"""BERT from a GGUF file with llama.cpp's tensor names. On a CPU the word embeddings stay quantised in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFReader, ReaderTensor, dequantize
from numpy.typing import NDArray
from torch import Tensor, nn

from ner_head.features.extraction.configs import EncoderConfig
from ner_head.features.extraction.tensors import WORD_EMBEDDINGS, checkpoint_names

OUTSIDE = {"position_embd": "positions", "token_types": "types", "token_embd_norm": "norm"}
INSIDE = {
    "attn_q": "query",
    "attn_k": "key",
    "attn_v": "value",
    "attn_output": "output",
    "attn_output_norm": "attention_norm",
    "ffn_up": "up",
    "ffn_down": "down",
    "layer_output_norm": "output_norm",
}
"""Names of parts in `BertNetwork`, by llama.cpp's names (gguf-py/gguf/constants.py)."""
WORDS = "token_embd.weight"


class QuantisedEmbedding(nn.Module):
    """Word embeddings that stay quantised; only the rows that a batch needs are converted to float32."""

    def __init__(self, rows: NDArray[Any], kind: GGMLQuantizationType) -> None:
        """Keep quantised `rows`, (V, size of a row)."""
        super().__init__()
        self.rows, self.kind = rows, kind

    def forward(self, ids: Tensor) -> Tensor:
        """(B, P) -> (B, P, D), float32."""
        wanted, places = np.unique(ids.cpu().numpy(), return_inverse=True)
        known = torch.from_numpy(dequantize(self.rows[wanted], self.kind)).to(ids.device)
        return known[torch.from_numpy(places.reshape(ids.shape)).to(ids.device)]


def read_bert(path: Path, config: EncoderConfig, device: torch.device) -> tuple[dict[str, Tensor], nn.Module]:
    """The tensors of a `BertNetwork` without the word embeddings, and the word embeddings.

    On a CPU the word embeddings stay quantised.

    Raises:
        ValueError: the architecture is not BERT, or tensors do not fit the config.
    """
    file = GGUFReader(path)
    architecture = file.get_field("general.architecture")
    found = architecture.contents() if architecture else None
    if found != "bert" or config.model_type != "bert":
        raise ValueError(f"{path.name} is for {found!r} and config.json for {config.model_type!r}; wanted are 'bert'")
    given = {tensor.name: tensor for tensor in file.tensors}
    words = given.pop(WORDS, None)
    if words is None or words.shape.tolist() != [config.hidden_size, config.vocab_size]:
        raise ValueError(f"{path.name}: {WORDS} is not of {config.vocab_size} x {config.hidden_size}")
    tensors = {new_name(name): as_float32(tensor) for name, tensor in given.items()}
    if missing := checkpoint_names(config).keys() - tensors.keys() - {WORD_EMBEDDINGS}:
        raise ValueError(f"{path.name} lacks {len(missing)} tensors, the first is {min(missing)}")
    if device.type == "cpu":
        return tensors, QuantisedEmbedding(np.array(words.data), words.tensor_type)
    return tensors, nn.Embedding(config.vocab_size, config.hidden_size, _weight=as_float32(words))


def new_name(name: str) -> str:
    """Name of a tensor in `BertNetwork`.

    Raises:
        ValueError: BERT has no such tensor.
    """
    match name.split("."):
        case ["blk", layer, part, kind] if part in INSIDE:
            return f"layers.{layer}.{INSIDE[part]}.{kind}"
        case [part, kind] if part in OUTSIDE:
            return f"embeddings.{OUTSIDE[part]}.{kind}"
    raise ValueError(f"a tensor {name!r}, which BERT lacks")


def as_float32(tensor: ReaderTensor) -> Tensor:
    """A tensor of the file, dequantised. What needs no conversion is copied, because the file may be replaced."""
    return torch.from_numpy(np.require(dequantize(tensor.data, tensor.tensor_type), np.float32, "W"))
