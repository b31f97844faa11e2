"""BERT from a GGUF file with llama.cpp's tensor names. On a CPU the word embeddings stay quantised in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFReader, ReaderTensor, dequantize
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PretrainedConfig

OUTSIDE = {
    "position_embd": "embeddings.position_embeddings",
    "token_types": "embeddings.token_type_embeddings",
    "token_embd_norm": "embeddings.LayerNorm",
}
INSIDE = {
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "attn_output_norm": "attention.output.LayerNorm",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
    "layer_output_norm": "output.LayerNorm",
}
"""Names in transformers' BertModel, by llama.cpp's names (gguf-py/gguf/constants.py)."""
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


def load_bert(path: Path, config: PretrainedConfig, device: torch.device) -> nn.Module:
    """A BertModel without a pooler, on a device. On a CPU the word embeddings stay quantised.

    Raises:
        ValueError: the architecture is not BERT, or tensors do not fit the config.
    """
    from transformers import BertConfig, BertModel

    file = GGUFReader(path)
    architecture = file.get_field("general.architecture")
    found = architecture.contents() if architecture else None
    if found != "bert" or config.model_type != "bert":
        raise ValueError(f"{path.name} is for {found!r} and config.json for {config.model_type!r}; wanted are 'bert'")
    tensors = {tensor.name: tensor for tensor in file.tensors}
    words = tensors.pop(WORDS, None)
    if words is None or words.shape.tolist() != [config.hidden_size, config.vocab_size]:
        raise ValueError(f"{path.name}: {WORDS} is not of {config.vocab_size} x {config.hidden_size}")
    # embeddings of one row, replaced below: BertModel would spend time to fill all rows with random numbers
    model: nn.Module = BertModel(
        BertConfig(**{**config.to_dict(), "vocab_size": 1, "pad_token_id": 0}), add_pooling_layer=False
    )
    embeddings = model.get_submodule("embeddings")
    embeddings.word_embeddings = nn.Identity()
    model.load_state_dict({new_name(name): as_float32(tensor) for name, tensor in tensors.items()})
    embeddings.word_embeddings = (
        QuantisedEmbedding(np.array(words.data), words.tensor_type)
        if device.type == "cpu"
        else nn.Embedding(config.vocab_size, config.hidden_size, _weight=as_float32(words))
    )
    return model.to(device)


def new_name(name: str) -> str:
    """Name of a tensor in transformers' BertModel.

    Raises:
        ValueError: BERT has no such tensor.
    """
    match name.split("."):
        case ["blk", layer, part, kind] if part in INSIDE:
            return f"encoder.layer.{layer}.{INSIDE[part]}.{kind}"
        case [part, kind] if part in OUTSIDE:
            return f"{OUTSIDE[part]}.{kind}"
    raise ValueError(f"a tensor {name!r}, which BERT lacks")


def as_float32(tensor: ReaderTensor) -> Tensor:
    """A copy of a tensor of the file, dequantised."""
    return torch.from_numpy(np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))
