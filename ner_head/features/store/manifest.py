"""`manifest.json` of a store, and the weights beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from ner_head.base.errors import DataError, system_error
from ner_head.base.files import read_checked, write_whole
from ner_head.base.layers import LayerShape
from ner_head.base.params import Params
from ner_head.features.store.spec import EncoderSpec

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST, LAYERS = "manifest.json", "layers.safetensors"
HEX64 = r"^[0-9a-f]{64}$"


class ShardDocument(Params):
    """A document in a shard; its sentences follow those of the document before."""

    key: str
    n_sentences: int = Field(ge=0)


class ShardRecord(Params):
    """Entry of a shard in the manifest."""

    key: str = Field(pattern=HEX64)
    sha256: str = Field(pattern=HEX64)
    documents: list[ShardDocument]

    @property
    def n_sentences(self) -> int:
        """Number of sentences of the shard."""
        return sum(document.n_sentences for document in self.documents)


class EncoderIdentity(Params):
    """The encoder that computed the features."""

    model: str
    """Folder of the encoder, relative to the project, or its name on the Hugging Face hub."""
    local: bool = False
    """Whether `model` is a folder."""
    fingerprint: str = Field(pattern=HEX64)
    n_layers: int = Field(ge=1, le=10_000)
    """Number of layers of the encoder. `layers` says which of them are stored."""
    width: int = Field(ge=1, le=1_000_000)


class EncoderRecord(EncoderSpec, EncoderIdentity):  # the last base's fields come first in the file
    """The encoder that computed the features, and its settings."""

    @property
    def stored_layers(self) -> range:
        """The numbers of the stored layers."""
        return self.stored(self.n_layers)


class LayersRecord(Params):
    """`layers.safetensors` of a store: the weights of the encoder's layers, from which their training starts."""

    sha256: str = Field(pattern=HEX64)
    shape: LayerShape


class StoreManifest(Params):
    """`manifest.json` of a store."""

    version: Literal[1, 2] = 2
    encoder: EncoderRecord
    layers: LayersRecord | None = None
    """None in a store of version 1, and for an encoder whose layers are not those of BERT."""
    shards: list[ShardRecord]


def read_weights(path: Path, sha256: str) -> dict[str, Tensor]:
    """Read a safetensors file with a known digest.

    Raises:
        DataError: it is absent, has another digest, or is not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load  # imports torch

    content = read_checked(path, sha256, mend="run `dvc repro -f`")
    try:
        return load(content)
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {error}; run `dvc repro -f`") from None


def read_manifest(directory: Path) -> StoreManifest:
    """Read `manifest.json` of a store.

    Raises:
        DataError: it is missing or invalid.
    """
    path = directory / MANIFEST
    try:
        return StoreManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise system_error(error, path, mend="run `dvc repro extract`") from None
    except ValidationError as error:
        raise DataError(f"{path}: not a feature manifest: {error.errors()[0]['msg']}") from None


def write_manifest(directory: Path, manifest: StoreManifest) -> None:
    """Write `manifest.json`, which is the last step of an extraction."""
    text = json.dumps(manifest.model_dump(), ensure_ascii=False, indent=1) + "\n"
    write_whole(directory / MANIFEST, text.encode())
