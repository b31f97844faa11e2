"""Families of encoders: what differs between BERT and related architectures."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ner_head.base.errors import DataError
from ner_head.features.extraction.gguf_weights import load_bert
from ner_head.features.extraction.wordpieces import Definition, WordPieces, vocabulary

if TYPE_CHECKING:
    from transformers import PretrainedConfig

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")
SMALLEST_SHARE = 0.9  # of the rows of the embeddings that have a word piece; some encoders pad them to a round number


@dataclass(frozen=True)
class Family:
    """What architectures of a family have in common.

    Attributes:
        cls, sep, unk: special tokens, used if the folder does not name them.
        positions_behind_padding: whether positions are counted from the padding id + 1, as in RoBERTa.
    """

    cls: str = "[CLS]"
    sep: str = "[SEP]"
    unk: str = "[UNK]"
    positions_behind_padding: bool = False

    def limit(self, config: PretrainedConfig) -> int:
        """Largest number of word pieces in a pass, [CLS] and [SEP] included."""
        positions: int = config.max_position_embeddings
        return positions - config.pad_token_id - 1 if self.positions_behind_padding else positions


BERT = Family()
ROBERTA = Family("<s>", "</s>", "<unk>", positions_behind_padding=True)
FAMILIES = {
    "bert": BERT,
    "distilbert": BERT,
    "electra": BERT,
    "modernbert": BERT,
    "roberta": ROBERTA,
    "camembert": ROBERTA,
    "xlm-roberta": ROBERTA,
}
"""The family of each `model_type` in config.json. To add an encoder family, add it here."""


@dataclass(frozen=True)
class EncoderFiles:
    """A folder with an encoder, checked. The weights are not loaded.

    Attributes:
        folder: the folder.
        config: content of config.json.
        weights: *.safetensors, or one *.gguf.
        word_pieces: the tokenizer.
        limit: largest number of word pieces in a pass, [CLS] and [SEP] included.
        padding: piece id of padding.
    """

    folder: Path
    config: PretrainedConfig
    weights: list[Path]
    word_pieces: WordPieces
    limit: int
    padding: int

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
            from transformers import AutoConfig

            silence_transformers()
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        family = FAMILIES.get(config.model_type)
        if family is None:
            raise DataError(f"{folder}: an encoder of type {config.model_type!r}; known are {', '.join(FAMILIES)}")
        with readable(folder):
            word_pieces = read_word_pieces(folder, family, n_rows=config.vocab_size)
        padding = config.pad_token_id if config.pad_token_id is not None else 0
        return cls(folder, config, weights, word_pieces, family.limit(config), padding)

    def load(self, device: torch.device) -> torch.nn.Module:
        """The network on a device, in float32, in evaluation mode and frozen.

        Raises:
            DataError: the weights cannot be read, or tensors are missing.
        """
        with readable(self.folder):
            if self.weights[0].suffix == ".gguf":
                model = load_bert(self.weights[0], self.config, device)
            else:
                model = self._load_safetensors().to(device)
        return model.eval().requires_grad_(False)

    def _load_safetensors(self) -> torch.nn.Module:
        from transformers import AutoModel

        model: torch.nn.Module
        model, found = AutoModel.from_pretrained(
            self.folder,
            config=self.config,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
        missing = sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))
        if missing:
            raise ValueError(f"its weights lack {len(missing)} tensors, the first is {missing[0]}")
        return model


def read_word_pieces(folder: Path, family: Family, *, n_rows: int) -> WordPieces:
    """Read the tokenizer of a folder.

    Raises:
        DataError: it is missing, or does not fit embeddings of `n_rows` rows.
    """
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise DataError(f"{folder}: no tokenizer; needs {' or '.join(TOKENIZER_FILES)}")
    definition, named = read_tokenizer(folder)
    pieces = vocabulary(definition)
    if max(pieces.values(), default=0) >= n_rows or len(pieces) < SMALLEST_SHARE * n_rows:
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
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, trust_remote_code=False)
    return json.loads(tokenizer.backend_tokenizer.to_str()), tokenizer.special_tokens_map


@cache
def silence_transformers() -> None:
    """Turn off warnings and progress bars of transformers. The variable TRANSFORMERS_VERBOSITY still has effect."""
    from transformers.utils import logging as output

    if "TRANSFORMERS_VERBOSITY" not in os.environ:
        output.set_verbosity(logging.ERROR)
    output.disable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turn the errors that the libraries raise for an unusable folder into one line."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # tokenizers raises plain Exception, and damaged files almost anything
        raise DataError(f"{folder}: not a usable encoder: {' '.join(str(error).split())[:300]}") from None
