"""The tensors of an encoder under one set of names, whatever its checkpoint calls them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from ner_head.features.extraction.configs import EncoderConfig
from ner_head.features.extraction.network import BertNetwork

EMBEDDINGS = {
    "words": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "types": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
    "project": "embeddings_project",
}
OLD_KINDS = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}  # in checkpoints of 2018
WORD_EMBEDDINGS = "embeddings.words.weight"
WHOLE = "model.safetensors"


def checkpoint_names(config: EncoderConfig) -> dict[str, str]:
    """The names of the tensors of `BertNetwork`, and those in a checkpoint of the family, without a prefix.

    Raises:
        DataError: the layers are not those of BERT.
    """
    found = {}
    for name in BertNetwork(config).state_dict():
        match name.split("."):
            case ["layers", number, part, kind]:
                found[name] = f"{config.family.layers}.{number}.{config.family.parts[part]}.{kind}"
            case [_, part, kind]:
                found[name] = f"{EMBEDDINGS[part]}.{kind}"
    return found


def read_safetensors(files: Iterable[Path], config: EncoderConfig) -> dict[str, Tensor]:
    """The tensors of `BertNetwork`, float32. Others, such as those of a pooler, are left out.

    Args:
        files: `model.safetensors`, or the files into which it is divided.
        config: the config beside them.
    Raises:
        ValueError: tensors are missing.
        DataError: the layers are not those of BERT.
    """
    paths = [path for path in files if path.name == WHOLE] or files
    places = dict[str, safe_open]()
    for path in paths:
        opened = safe_open(path, framework="pt")
        places |= dict.fromkeys(opened.keys(), opened)  # type: ignore[no-untyped-call]
    found, missing = dict[str, Tensor](), list[str]()
    for name, theirs in checkpoint_names(config).items():
        known = next((known for known in _spellings(theirs, config.family.prefix) if known in places), None)
        if known is None:
            missing.append(theirs)
        else:
            found[name] = places[known].get_tensor(known).to(torch.float32)  # type: ignore[no-untyped-call]
    if missing:
        raise ValueError(f"its weights lack {len(missing)} tensors, the first is {min(missing)}")
    return found


def layer_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of all layers as `NUMBER.PART.weight` and `NUMBER.PART.bias`; layers count from 1."""
    found = {}
    for name, tensor in tensors.items():
        place, _, rest = name.partition(".")
        number, _, part = rest.partition(".")
        if place == "layers":
            found[f"{int(number) + 1}.{part}"] = tensor.contiguous()
    return found


def _spellings(name: str, prefix: str) -> list[str]:
    """The names that a tensor may have: with the prefix of a model with a task's head, and with old kinds."""
    ends = [name, *(name.replace(new, old) for new, old in OLD_KINDS.items() if name.endswith(new))]
    return [*ends, *(f"{prefix}.{end}" for end in ends)]
