"""A folder with an encoder: its config, its weights and its tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ner_head.base.errors import DataError, NerHeadError
from ner_head.features.extraction.configs import EncoderConfig, Family
from ner_head.features.extraction.network import BertNetwork, EncoderNetwork
from ner_head.features.extraction.tensors import layer_weights, read_safetensors
from ner_head.features.extraction.wordpieces import Definition, WordPieces, vocabulary

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")
SMALLEST_SHARE = 0.9  # of the rows of the embeddings that have a word piece; some encoders pad them to a round number


@dataclass(frozen=True)
class EncoderFiles:
    """A folder with an encoder, checked. The weights are not loaded.

    Attributes:
        folder: the folder.
        config: content of config.json.
        weights: *.safetensors, or one *.gguf.
        word_pieces: the tokenizer.
    """

    folder: Path
    config: EncoderConfig
    weights: list[Path]
    word_pieces: WordPieces

    @classmethod
    def open(cls, folder: Path) -> EncoderFiles:
        """Read the config and the tokenizer.

        Raises:
            DataError: config, weights or tokenizer are missing or do not fit each other, or the architecture is of no
                known family.
        """
        weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.gguf"))[:1]
        if not weights or not (folder / "config.json").is_file():
            raise DataError(f"{folder}: needs config.json and *.safetensors or *.gguf (pickled weights are not loaded)")
        with readable(folder):
            config = EncoderConfig.read(folder)
            word_pieces = read_word_pieces(folder, config.family, n_rows=config.vocab_size)
        return cls(folder, config, weights, word_pieces)

    def load(self, device: torch.device, *, dropout: bool = False) -> EncoderNetwork:
        """The network on a device, in float32, in evaluation mode and frozen.

        Args:
            device: the device.
            dropout: whether the network has dropout in training mode.
        Raises:
            DataError: the weights cannot be read, or tensors are missing.
        """
        plain = self.config.computed_here and not dropout
        with readable(self.folder):
            if self.weights[0].suffix == ".gguf":
                network = self._load_gguf(device, plain)
            elif plain:
                network = BertNetwork(self.config)
                network.load_state_dict(read_safetensors(self.weights, self.config), assign=True)
            else:
                from ner_head.features.extraction.transformers_network import load_safetensors

                network = load_safetensors(self.folder)
            return network.to(device).eval().requires_grad_(False)

    def layer_weights(self) -> dict[str, torch.Tensor]:
        """The weights of all layers, float32, as `tensors.layer_weights` names them.

        Raises:
            DataError: the layers are not those of BERT, or the weights cannot be read.
        """
        self.config.layer_shape()
        with readable(self.folder):
            if self.weights[0].suffix == ".gguf":
                from ner_head.features.extraction.gguf_weights import read_bert

                return layer_weights(read_bert(self.weights[0], self.config, torch.device("cpu"))[0])
            return layer_weights(read_safetensors(self.weights, self.config))

    def _load_gguf(self, device: torch.device, plain: bool) -> EncoderNetwork:
        from ner_head.features.extraction.gguf_weights import read_bert

        tensors, words = read_bert(self.weights[0], self.config, device)
        if not plain:
            from ner_head.features.extraction.transformers_network import load_bert

            return load_bert(self.folder, tensors, words, self.config)
        network = BertNetwork(self.config)
        network.embeddings.words = nn.Identity()  # so that the tensors below are all that it has
        network.load_state_dict(tensors, assign=True)
        network.embeddings.words = words
        return network


def read_word_pieces(folder: Path, family: Family, *, n_rows: int) -> WordPieces:
    """Read the tokenizer of a folder.

    Raises:
        DataError: it is missing, or does not fit embeddings of `n_rows` rows.
    """
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise DataError(f"{folder}: no tokenizer; needs {' or '.join(TOKENIZER_FILES)}")
    definition, named = read_tokenizer(folder)
    pieces = vocabulary(definition)
    if (
        min(pieces.values(), default=0) < 0
        or max(pieces.values(), default=0) >= n_rows
        or len(pieces) < SMALLEST_SHARE * n_rows
    ):
        size = f"a tokenizer of {len(pieces):,} pieces"
        raise DataError(f"{folder}: {size} does not fit weights for {n_rows:,}; give the one of these weights")
    ids = {}
    for role in ("cls", "sep", "unk"):
        token = named.get(f"{role}_token") or getattr(family, role)
        name = token["content"] if isinstance(token, dict) else token
        if name not in pieces:
            raise DataError(f"{folder}: the tokenizer has no {role} token {name!r}; give the one of these weights")
        ids[role] = pieces[name]
    return WordPieces(definition, **ids)


def read_tokenizer(folder: Path) -> tuple[Definition, dict[str, Any]]:
    """The tokenizer, and the names of its special tokens if the folder has them."""
    if (folder / "tokenizer.json").is_file():
        path = folder / "tokenizer_config.json"
        named = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")), named
    from ner_head.features.extraction.transformers_network import read_tokenizer

    return read_tokenizer(folder)


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turn the errors that the libraries raise for an unusable folder into one line."""
    try:
        yield
    except (NerHeadError, MemoryError):
        raise
    except Exception as error:  # tokenizers raises plain Exception, and damaged files almost anything
        raise DataError(f"{folder}: not a usable encoder: {' '.join(str(error).split())[:300]}") from None
