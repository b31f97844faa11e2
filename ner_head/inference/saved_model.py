"""Models on disk: `model.safetensors` and `manifest.json`, which are all that prediction needs beside the encoder.

A committee is one model. The weights of its heads are named `heads.0.*`, `heads.1.*` and so on, those of the CRF that
decodes for all of them `crf.*`. `members` in the manifest lists the origin of each head.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from ner_head.base.errors import DataError, system_error
from ner_head.base.files import write_whole
from ner_head.base.params import Params
from ner_head.corpus.results import Temperatures
from ner_head.corpus.tagging import Scheme, TagSet
from ner_head.features.store.store import EncoderRecord
from ner_head.head.committee import AnyHead, together
from ner_head.head.model import Head, build_head
from ner_head.head.params import HeadParams

VERSION = 1


class TrainingRecord(Params):
    """Origin of the weights."""

    seed: int
    epoch: int
    dev_f1: float | None = None
    """Strict micro F1 on dev; None without dev."""


class ModelManifest(Params):
    """`manifest.json` of a model."""

    version: int = VERSION
    scheme: Scheme
    labels: list[str]
    languages: list[str]
    segmentation: str
    encoder: EncoderRecord
    head: HeadParams
    training: TrainingRecord
    members: list[TrainingRecord] = Field(default_factory=list)
    """Origin of the weights of each head of a committee. Empty for a single head."""
    temperatures: Temperatures = Temperatures()

    @property
    def tag_set(self) -> TagSet:
        """The tags of the head."""
        return TagSet(self.scheme, tuple(self.labels))


@dataclass(frozen=True)
class SavedModel:
    """A model: a head, or a committee of heads, and its manifest."""

    manifest: ModelManifest
    head: AnyHead

    def at(self, temperatures: Temperatures) -> SavedModel:
        """The same model with temperatures."""
        return SavedModel(self.manifest.model_copy(update={"temperatures": temperatures}), self.head)

    def save(self, directory: Path) -> None:
        """Write both files, each atomically."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.head.state_dict().items()}
        write_whole(directory / "model.safetensors", save(tensors))
        write_whole(directory / "manifest.json", (self.manifest.model_dump_json(indent=2) + "\n").encode())

    @classmethod
    def load(cls, directory: Path, *, device: torch.device) -> SavedModel:
        """Read a model.

        Args:
            directory: Folder of the model.
            device: Device that the head is moved to.
        Raises:
            DataError: A file is absent or damaged, or the files do not match.
        """
        try:
            manifest = ModelManifest.model_validate_json((directory / "manifest.json").read_bytes())
            tensors = load((directory / "model.safetensors").read_bytes())
        except OSError as error:
            raise system_error(error, mend="train one with `dvc repro`") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataError(f"{directory / 'manifest.json'}: {where}: {first['msg']}") from None
        except SafetensorError as error:
            raise DataError(f"{directory / 'model.safetensors'}: damaged: {error}") from None
        if manifest.version != VERSION:
            raise DataError(f"{directory}: a model of version {manifest.version}; this ner-head reads {VERSION}")
        try:
            head = together([new_head(manifest) for _ in manifest.members or [manifest.training]])
            head.load_state_dict(tensors)
        except (RuntimeError, TypeError) as error:
            raise DataError(
                f"{directory}: weights and manifest do not fit: {' '.join(str(error).split())[:200]}"
            ) from None
        return cls(manifest, head.to(device).eval())


def new_head(manifest: ModelManifest) -> Head:
    """A head with fresh weights and the shape in the manifest."""
    encoder = manifest.encoder
    return build_head(
        manifest.head,
        n_layers=encoder.n_layers,
        width=encoder.width,
        tag_set=manifest.tag_set,
        languages=manifest.languages,
    )
