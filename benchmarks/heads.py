"""Heads trained on what `dvc repro extract` left, for benchmarks that compare some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ruamel.yaml import YAML

from ner_head.base.params import validate
from ner_head.corpus.documents import Document, read_documents
from ner_head.corpus.results import Prediction, Temperatures
from ner_head.corpus.segment import SEGMENTATION
from ner_head.features.store.store import FeatureStore
from ner_head.head.params import HeadParams
from ner_head.inference.predictions import predict_from_store
from ner_head.inference.saved_model import ModelManifest, TrainingRecord, new_head
from ner_head.inference.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer

PREPARED, FEATURES = Path("data/prepared"), Path("data/features")


class Bench:
    """Train and dev documents, their features, and the params of a file."""

    def __init__(self, params: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        self.params: dict[str, Any] = YAML(typ="safe", pure=True).load(params.read_text(encoding="utf-8"))
        self.train, self.dev = (list(read_documents(PREPARED / f"{split}.jsonl")) for split in ("train", "dev"))
        self.store = FeatureStore.open(FEATURES)
        self.languages = sorted({document.language for document in self.train if document.language != "und"})

    def section(self, name: str, changes: Sequence[str] = ()) -> dict[str, Any]:
        """One section of the params after some changes, `head.lstm.hidden=256`, the values as in YAML."""
        sections = {name: dict(self.params.get(name) or {})}
        for path, _, value in (change.partition("=") for change in changes):
            *parents, last = path.split(".")
            place = sections
            if parents[0] == name:
                for parent in parents:
                    place[parent] = dict(place.get(parent) or {})
                    place = place[parent]
                place[last] = YAML(typ="safe", pure=True).load(value)
        return sections[name]

    def fit(self, train: Sequence[Document], changes: Sequence[str], seed: int) -> Tagger:
        """A head trained on some documents, its epoch chosen on dev."""
        head_params = validate(self.section("head", changes), "head", HeadParams)
        section = {**self.section("training", changes), "seed": seed}
        params = validate(section, "training", TrainingParams)
        manifest = ModelManifest(
            scheme=head_params.tags,
            labels=sorted({span.label for document in self.train for span in document.spans}),
            languages=self.languages,
            segmentation=SEGMENTATION,
            encoder=self.store.manifest.encoder,
            head=head_params,
            training=TrainingRecord(seed=seed, epoch=0, dev_f1=0.0),
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            head = new_head(manifest)
        tag_set, device = manifest.tag_set, torch.device("cpu")
        trainer = Trainer(head, tag_set, self.languages, params=params, device=device)
        head.load_state_dict(trainer.fit(examples(train, tag_set, self.languages), self.dev, self.store).best_weights)
        return Tagger(head, tag_set, device)

    def predict(self, tagger: Tagger, temperatures: Temperatures | None = None) -> list[Prediction]:
        """What a head finds in the dev documents, with probabilities at some temperatures."""
        warm = Tagger(tagger.head, tagger.tag_set, tagger.device, temperatures)
        return predict_from_store(warm, self.dev, self.store, self.languages, probabilities=True)
