"""Heads trained on the output of `dvc repro extract`, for benchmarks that compare several of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch

from experiments.assignments import merge, parse_assignment
from ner_head.base.params import read_sections, validate
from ner_head.corpus.records import read_documents
from ner_head.corpus.results import Prediction, Temperatures
from ner_head.features.store.store import FeatureStore
from ner_head.head.model import Head
from ner_head.head.params import HeadParams
from ner_head.inference.predictions import predict_from_store
from ner_head.training.params import TrainingParams
from ner_head.training.session import TrainingSession

PREPARED, FEATURES = Path("data/prepared"), Path("data/features")


class HeadBench:
    """Train and dev documents, their features, and the params of a file."""

    def __init__(self, params: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        self.source, self.params = params, read_sections(params)
        self.train, self.dev = (list(read_documents(PREPARED / f"{split}.jsonl")) for split in ("train", "dev"))
        self.store = FeatureStore.open(FEATURES)

    def session(self, changes: Sequence[str], seed: int) -> TrainingSession:
        """A training session with changed params, such as `head.lstm.hidden=256`."""
        params = copy.deepcopy(self.params)
        for change in changes:
            merge(params, parse_assignment(change), source=self.source)
        return TrainingSession(
            self.train,
            self.dev,
            self.store,
            head=validate(params.get("head", {}), "head", HeadParams),
            params=validate({**params.get("training", {}), "seed": seed}, "training", TrainingParams),
            device=torch.device("cpu"),
        )


def predict_dev(session: TrainingSession, head: Head, temperatures: Temperatures | None = None) -> list[Prediction]:
    """Predictions of a head for the dev documents of a session, with probabilities."""
    tagger = session.tagger(head, temperatures)
    return predict_from_store(tagger, session.dev, session.store, session.manifest.languages, probabilities=True)
