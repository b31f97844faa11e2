"""Models on disk, which are all that prediction needs beside the encoder.

A model is a folder with `model.safetensors` and `manifest.json`, and `layers.safetensors` if layers of the encoder were
trained with the head.

A committee is one model. The weights of its heads are named `heads.0.*`, `heads.1.*` and so on, those of the CRF that
decodes for all of them `crf.*`. `members` in the manifest lists the origin of each head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from ner_head.base.errors import DataError, system_error
from ner_head.base.files import read_checked, write_whole
from ner_head.base.layers import LayerShape
from ner_head.base.params import Params, first_problem
from ner_head.corpus.results import Temperatures
from ner_head.corpus.tagging import Scheme, TagSet
from ner_head.features.store.manifest import LAYERS, EncoderRecord, read_weights
from ner_head.head.committee import AnyHead, together
from ner_head.head.encoder_layers import EncoderLayers, adaptation
from ner_head.head.model import Head, build_head
from ner_head.head.params import HeadParams

VERSION = 1
WEIGHTS = "model.safetensors"
MEND = "train one with `dvc repro`"
TUNED = "encoder_layers."  # in the names of the tuned layers' tensors


class TrainingRecord(Params):
    """Origin of the weights."""

    seed: int
    epoch: int
    dev_f1: float | None = None
    """Strict micro F1 on dev; None without dev."""


class TunedLayers(Params):
    """`layers.safetensors` of a model: the last layers of the encoder, as they were trained with the head."""

    layers: int = Field(ge=1)
    """Number of layers, N."""
    rank: int = Field(default=0, ge=0)
    """Rank of the low-rank additions, if the file has only these; 0 = it has all weights of the layers."""
    shape: LayerShape
    sha256: str = ""
    """Digest of the file."""


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
    tuned: TunedLayers | None = None
    """The encoder's layers that were trained; None for the frozen encoder."""
    sha256: str = ""
    """Digest of `model.safetensors`; "" if it was saved before there were digests."""

    @classmethod
    def read(cls, directory: Path) -> ModelManifest:
        """Read the manifest of a model.

        Raises:
            DataError: it is absent or damaged, or this version cannot read it.
        """
        path = directory / "manifest.json"
        try:
            manifest = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise system_error(error, path, mend=MEND) from None
        except ValidationError as error:
            raise DataError(f"{path}: {first_problem(error)}") from None
        if manifest.version != VERSION:
            raise DataError(f"{directory}: a model of version {manifest.version}; this ner-head reads {VERSION}")
        return manifest

    def write(self, directory: Path) -> None:
        """Write the manifest of a model, atomically."""
        write_whole(directory / "manifest.json", (self.model_dump_json(indent=2) + "\n").encode())

    @property
    def files(self) -> list[str]:
        """The names of the files of the model."""
        return ["manifest.json", WEIGHTS, *([LAYERS] if self.tuned else [])]

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
        """Write the files, each atomically."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.head.state_dict().items()}
        layers = {name: tensors.pop(name) for name in list(tensors) if TUNED in name}
        manifest = self.manifest
        if manifest.tuned is not None:
            content = save(adaptation(layers) if manifest.tuned.rank else layers)
            tuned = manifest.tuned.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
            manifest = manifest.model_copy(update={"tuned": tuned})
            write_whole(directory / LAYERS, content)
        content = save(tensors)
        write_whole(directory / WEIGHTS, content)
        manifest.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()}).write(directory)

    @classmethod
    def load(
        cls,
        directory: Path,
        *,
        device: torch.device,
        layer_weights: Callable[[EncoderRecord], Mapping[str, torch.Tensor]] | None = None,
    ) -> SavedModel:
        """Read a model.

        Args:
            directory: Folder of the model.
            device: Device that the head is moved to.
            layer_weights: Returns the weights of the encoder's layers, which low-rank additions are added to.
        Raises:
            DataError: A file is absent or damaged, or the files do not match.
        """
        manifest = ModelManifest.read(directory)
        try:
            tensors = load(read_checked(directory / WEIGHTS, manifest.sha256, mend=MEND))
        except SafetensorError as error:
            raise DataError(f"{directory / WEIGHTS}: damaged: {error}") from None
        if (tuned := manifest.tuned) is not None:
            tensors |= read_weights(directory / LAYERS, tuned.sha256)
        try:
            check_weights(manifest, tensors)
            heads = [new_head(manifest) for _ in manifest.members or [manifest.training]]
            head = together(heads)
            if tuned is not None and tuned.rank:
                if layer_weights is None:
                    raise DataError(f"{directory}: has additions to its encoder's weights, which are not given")
                weights = layer_weights(manifest.encoder)
                for member in heads:
                    load_layers(member, manifest, weights)
                frozen = {name: tensor for name, tensor in head.state_dict().items() if TUNED in name}
                tensors = {name: frozen[name] for name in frozen.keys() - adaptation(frozen).keys()} | tensors
            head.load_state_dict(tensors)
        except (RuntimeError, TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
            raise DataError(
                f"{directory}: weights and manifest do not fit: {' '.join(str(error).split())[:200]}"
            ) from None
        return cls(manifest, head.to(device).eval())


def check_weights(manifest: ModelManifest, tensors: Mapping[str, torch.Tensor]) -> None:
    """Check weights, and that the head of a manifest is not larger, before memory is taken for it.

    Raises:
        ValueError: It is larger, has another number of tags, or a weight is not finite.
    """
    head, tuned = manifest.head, manifest.tuned
    parts = head.lstm.layers + head.attention.layers + len(manifest.members) + (tuned.layers if tuned else 0)
    if parts > len(tensors):
        raise ValueError(f"the manifest has {parts:.3g} layers, and the weights {len(tensors)} tensors")
    bias = tensors.get("emissions.bias", tensors.get("heads.0.emissions.bias"))
    if bias is None or bias.shape != (len(manifest.tag_set),):
        found = "no tags" if bias is None else f"{bias.numel()} tags"
        raise ValueError(f"the manifest has {len(manifest.tag_set)} tags, and the weights {found}")
    with torch.device("meta"):  # without memory
        wanted = sum(tensor.numel() for name, tensor in new_head(manifest).state_dict().items() if TUNED not in name)
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise ValueError("a weight is NaN or infinite")
    if wanted > (size := sum(tensor.numel() for tensor in tensors.values())):
        raise ValueError(f"the manifest has {wanted:,} weights, and the file {size:,}")


def new_head(manifest: ModelManifest) -> Head:
    """A head with fresh weights and the shape in the manifest."""
    encoder, tuned = manifest.encoder, manifest.tuned
    layers: EncoderLayers | None = None
    if tuned is not None:
        with torch.random.fork_rng(devices=[]):  # the other weights start as without layers
            layers = EncoderLayers(tuned.shape, tuned.layers, rank=tuned.rank)
    return build_head(
        manifest.head,
        n_layers=encoder.n_layers,
        width=encoder.width,
        tag_set=manifest.tag_set,
        languages=manifest.languages,
        encoder_layers=layers,
    )


def load_layers(head: Head, manifest: ModelManifest, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a head that trains layers of the encoder the weights of that encoder.

    Raises:
        DataError: They do not fit.
    """
    if head.encoder_layers is not None and manifest.tuned is not None:
        head.encoder_layers.load(weights, manifest.encoder.n_layers - manifest.tuned.layers + 1)
