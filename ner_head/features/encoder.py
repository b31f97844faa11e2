"""The frozen encoder: a BERT-like checkpoint in the Hugging Face layout. The only module that knows transformers."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors import SafetensorError

from ner_head.errors import DataError, UsageError
from ner_head.features.batches import length_batches
from ner_head.features.wordpieces import WordPieces, windows
from ner_head.params import Params

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # read when transformers is first imported
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
HUB_FILES = ["config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*.json", "vocab.txt"]


class EncoderParams(Params):
    """Section `encoder`: what decides the features."""

    model: str = "encoders/slavic-mini"
    """A folder in the Hugging Face layout, or the name of a model on the hub."""
    shard_words: int = Field(default=4096, ge=1)
    """Words in a shard, on average; a shard holds whole documents."""


@dataclass(frozen=True)
class Fingerprint:
    """What the features depend on, beside the words. Two stores with equal ones can be mixed."""

    weights: str
    tokenizer: str
    n_layers: int
    width: int
    limit: int
    dtype: str = "float16"
    context: str = "sentence"

    def digest(self) -> str:
        """SHA-256 over all fields."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def find_model(model: str) -> Path:
    """The folder of a checkpoint: as given, or from the hub (or its local cache) for a name.

    Raises:
        UsageError: no such folder, and no such name or no network.
    """
    folder = Path(model)
    if folder.is_dir():
        return folder
    if not HUB_NAME.fullmatch(model):
        raise UsageError(f"encoder.model: no folder {model!r}; give a folder with config.json, or a name on the hub")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=HUB_FILES))
    except (RepositoryNotFoundError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UsageError(
            f"encoder.model: no folder {model!r} here, and the hub did not give it ({type(error).__name__}); "
            "check the name and the network, or use encoders/slavic-mini"
        ) from None


def file_digest(paths: Sequence[Path]) -> str:
    """SHA-256 of the files' bytes, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as handle:
            while block := handle.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


class Encoder:
    """A checkpoint in memory, frozen, in evaluation mode."""

    def __init__(self, folder: Path, *, device: torch.device) -> None:
        """Load it.

        Raises:
            DataError: the folder lacks config, safetensors weights or a tokenizer, or transformers refuses it.
        """
        from transformers import AutoModel, AutoTokenizer

        weights = sorted(folder.glob("*.safetensors"))
        if not weights or not (folder / "config.json").is_file():
            raise DataError(f"{folder}: needs config.json and *.safetensors (pickled weights are not loaded)")
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, trust_remote_code=False)
            model = AutoModel.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise DataError(f"{folder}: not a usable encoder: {' '.join(str(error).split())[:300]}") from None
        self.device = device
        self.model = model.eval().requires_grad_(False).to(device)
        self.word_pieces = WordPieces(
            tokenizer.backend_tokenizer,
            cls=tokenizer.cls_token_id,
            sep=tokenizer.sep_token_id,
            unk=tokenizer.unk_token_id,
        )
        config = model.config
        self.fingerprint = Fingerprint(
            weights=file_digest([folder / "config.json", *weights]),
            tokenizer=hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest(),
            n_layers=config.num_hidden_layers,
            width=config.hidden_size,
            limit=config.max_position_embeddings,
        )

    def hidden_layers(self, piece_ids: Sequence[NDArray[np.int32]], *, batch_pieces: int) -> list[NDArray[np.float16]]:
        """The hidden states of every layer but the embeddings', for sentences that begin with [CLS].

        Sentences over the encoder's limit go through overlapping windows. Similar lengths share a batch of at
        most `batch_pieces` pieces, padding included.

        Returns:
            one (P, L, D) float16 array per sentence, in the order given.
        """
        capacity = self.fingerprint.limit - 2  # [CLS] and [SEP] go around every window
        layers, width = self.fingerprint.n_layers, self.fingerprint.width
        results = [np.empty((len(ids), layers, width), dtype=np.float16) for ids in piece_ids]
        jobs = [(i, w) for i, ids in enumerate(piece_ids) for w in windows(len(ids) - 1, capacity)]
        jobs.sort(key=lambda job: (job[1].end - job[1].start, job[0], job[1].start))
        for batch in length_batches([w.end - w.start + 2 for _, w in jobs], batch_pieces):
            members = jobs[batch.start : batch.stop]
            states = self._forward([piece_ids[i][1 + w.start : 1 + w.end] for i, w in members])
            for (i, w), state in zip(members, states, strict=True):
                if w.start == 0:
                    results[i][0] = state[0]
                results[i][1 + w.keep_start : 1 + w.keep_end] = state[
                    1 + w.keep_start - w.start : 1 + w.keep_end - w.start
                ]
        return results

    @torch.inference_mode()
    def _forward(self, bodies: Sequence[NDArray[np.int32]]) -> NDArray[np.float16]:
        """(B, P, L, D) float16 for pieces between [CLS] and [SEP], padded to the longest."""
        longest = max(len(body) for body in bodies) + 2
        ids = np.zeros((len(bodies), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, body in enumerate(bodies):
            ids[row, : len(body) + 2] = [self.word_pieces.cls, *body, self.word_pieces.sep]
            mask[row, : len(body) + 2] = 1
        output = self.model(
            input_ids=torch.from_numpy(ids).to(self.device),
            attention_mask=torch.from_numpy(mask).to(self.device),
            output_hidden_states=True,
        )
        stacked = torch.stack([layer.to(torch.float16) for layer in output.hidden_states[1:]], dim=2)
        states: NDArray[np.float16] = stacked.cpu().numpy()
        return states
