"""Small models with random weights, for the tests of the export."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ner_head.corpus.results import Temperatures
from ner_head.corpus.segment import SEGMENTATION
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.manifest import EncoderRecord
from ner_head.features.store.spec import DEFAULT_SPEC, EncoderSpec
from ner_head.head.committee import together
from ner_head.head.encoder_layers import EncoderLayers
from ner_head.head.model import Head
from ner_head.head.params import AttentionParams, HeadParams, LstmParams
from ner_head.inference.saved_model import ModelManifest, SavedModel, TrainingRecord, TunedLayers, load_layers, new_head
from tests import tiny_encoders


@dataclass(frozen=True)
class Kind:
    """A model to make: the family of its encoder, tuned layers, members of a committee, settings."""

    family: str
    tuned: int = 0
    rank: int = 0
    members: int = 1
    spec: EncoderSpec = DEFAULT_SPEC
    head: dict[str, Any] = field(default_factory=dict)


def make(folder: Path, kind: Kind) -> Path:
    """Write a head and its encoder; returns the folder of the head."""
    (folder / "encoder").mkdir()
    tiny_encoders.save(kind.family, folder / "encoder")
    encoder = Encoder(folder / "encoder", device=torch.device("cpu"), spec=kind.spec, load=False)
    small = {
        "lstm": LstmParams(hidden=8),
        "attention": AttentionParams(heads=2, key_size=4),
        "projection": 8,
        "classifier": 6,
    }
    params, mark = HeadParams(**{**small, **kind.head}), encoder.fingerprint
    record = TrainingRecord(seed=0, epoch=1)
    identity = {"model": str(folder / "encoder"), "local": True, "fingerprint": mark.digest()}
    manifest = ModelManifest(
        scheme=params.tags,
        labels=["LOC", "PER"],
        languages=["cs", "pl", "ru"],
        segmentation=SEGMENTATION,
        encoder=EncoderRecord(**identity, n_layers=mark.n_layers, width=mark.width, **kind.spec.model_dump()),
        head=params,
        training=record,
        members=[record] * kind.members if kind.members > 1 else [],
        temperatures=Temperatures(spans=1.7, labels={"PER": -0.4}, languages=0.6),
        tuned=TunedLayers(layers=kind.tuned, rank=kind.rank, shape=encoder.layer_shape()) if kind.tuned else None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        heads = [new_head(manifest) for _ in range(kind.members)]
        for head in heads:
            sharpen(head, manifest, encoder)
    SavedModel(manifest, together(heads)).save(folder / "head")
    return folder / "head"


@torch.no_grad()
def sharpen(head: Head, manifest: ModelManifest, encoder: Encoder) -> None:
    """Larger scores, so that probabilities are not all alike; and the weights of the encoder in tuned layers."""
    head.emissions.weight *= 8
    if manifest.head.decoder == "crf":
        for score in head.crf.parameters():
            score *= 10
    if head.encoder_layers is not None:
        load_layers(head, manifest, encoder.layer_weights())
        for layer in head.encoder_layers.layers:
            assert isinstance(head.encoder_layers, EncoderLayers)
            for name, value in layer.named_parameters():
                value += 0.2 * torch.randn(value.shape) * (not name.endswith(".plain.weight"))
