"""Features of texts that nobody annotated, by the encoder of a trained model, kept in the pool of shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ner_head.base.errors import DataError
from ner_head.base.runtime import RuntimeParams
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import SEGMENTATION, segment
from ner_head.features.extraction.encode import count_pieces
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.plans import plan_shards
from ner_head.features.extraction.pool import Pool
from ner_head.features.store.store import FeatureStore
from ner_head.inference.saved_model import SavedModel
from ner_head.inference.tagger import Tagger
from ner_head.recognizer import check_encoder, encoder_folder

SHARD_WORDS = 4096


@dataclass(frozen=True)
class Unlabelled:
    """Texts with features, and a tagger.

    Attributes:
        documents: segmented documents without spans.
        store: their features.
        tagger: tagger of the model.
        languages: languages of the model.
        n_computed: number of word pieces that the encoder had to compute; 0 if all features were in the pool.
    """

    documents: list[Document]
    store: FeatureStore
    tagger: Tagger
    languages: list[str]
    n_computed: int


def open_texts(
    documents: Sequence[Document], model: Path, folder: Path, *, runtime: RuntimeParams, encoder: str | None = None
) -> Unlabelled:
    """Compute the features of texts that are not in the pool yet, and load the model.

    Args:
        documents: documents; those without sentences are segmented.
        model: folder of the model.
        folder: folder of the feature store to write.
        runtime: device, batch size and pool.
        encoder: folder of the encoder; None for that of the manifest.
    Raises:
        DataError: the model is damaged, or has another segmentation or encoder; or two documents have one name.
        UsageError: there is no such encoder or device.
    """
    device = runtime.start()
    keys = [document.key for document in documents]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DataError(f"two documents are called {twice}; each text needs an id of its own")
    saved = _model(model, device, encoder)
    record = saved.manifest.encoder
    frozen = Encoder(encoder_folder(record, beside=model, given=encoder), device=device, spec=record.spec, load=False)
    check_encoder(frozen, record)
    segmented = [_segmented(document) for document in documents]
    pool = Pool(Path(runtime.pool))
    n_computed = _missing(segmented, frozen, pool)
    extract(
        segmented,
        frozen,
        encoder_name=record.model,
        shard_words=SHARD_WORDS,
        batch_pieces=runtime.batch_pieces,
        pool=pool,
        output=folder,
    )
    manifest = saved.manifest
    tagger = Tagger(saved.head, manifest.tag_set, device, manifest.temperatures)
    return Unlabelled(segmented, FeatureStore.open(folder), tagger, manifest.languages, n_computed)


def _model(model: Path, device: torch.device, encoder: str | None) -> SavedModel:
    saved = SavedModel.load(
        model,
        device=device,
        layer_weights=lambda record: Encoder(
            encoder_folder(record, beside=model, given=encoder), device=device, load=False
        ).layer_weights(),
    )
    if saved.manifest.segmentation != SEGMENTATION:
        raise DataError(
            f"{model}: trained with segmentation {saved.manifest.segmentation}, but this ner-head has {SEGMENTATION}; "
            "train it again"
        )
    return saved


def _segmented(document: Document) -> Document:
    sentences = document.sentences or segment(document.text, document.language)
    return replace(document, sentences=sentences, spans=())


def _missing(documents: Sequence[Document], encoder: Encoder, pool: Pool) -> int:
    """Number of word pieces of the shards that are not in the pool."""
    plans = plan_shards(
        documents,
        shard_words=SHARD_WORDS,
        fingerprint=encoder.fingerprint.digest(),
        spaces=encoder.word_pieces.marks_spaces,
    )
    missing = {plan.key: plan.words for plan in plans if pool.find(plan.key) is None}
    return sum(count_pieces(words, encoder).pieces for words in missing.values())
