"""Stores and sessions of the tests of tuning."""

from __future__ import annotations

from pathlib import Path

import torch

from ner_head.corpus.documents import Document
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from ner_head.head.params import HeadParams, LstmParams
from ner_head.training.params import TrainingParams
from ner_head.training.session import Checkpoints, TrainingSession

CPU = torch.device("cpu")
LIMIT = 24  # pieces in a pass of the tiny encoder, [SEP] included
SMALL = HeadParams(lstm=LstmParams(hidden=8), projection=8, classifier=4, dropout=0.0)


def stored(documents: list[Document], encoder: Path, folder: Path, spec: EncoderSpec) -> FeatureStore:
    extract(
        documents,
        Encoder(encoder, device=CPU, spec=spec),
        encoder_name=str(encoder),
        shard_words=10,
        batch_pieces=256,
        pool=Pool(folder / "pool"),
        output=folder / "store",
        with_weights=True,
    )
    return FeatureStore.open(folder / "store")


def session(
    documents: list[Document],
    store: FeatureStore,
    head: HeadParams = SMALL,
    checkpoints: Checkpoints | None = None,
    **training: object,
) -> TrainingSession:
    params = TrainingParams.model_validate({"epochs": 2, "batch_size": 4, "held_out": 0.0, **training})
    return TrainingSession(documents, [], store, head=head, params=params, device=CPU, checkpoints=checkpoints)
