"""A training session: what the stage `train` and the benchmarks share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.features.store.store import FeatureStore
from ner_head.head.params import HeadParams, LstmParams
from ner_head.inference.saved_model import SavedModel
from ner_head.training.params import TrainingParams
from ner_head.training.session import Checkpoints, TrainingSession

CPU = torch.device("cpu")
HEAD = HeadParams(lstm=LstmParams(hidden=8), projection=8, classifier=8)


def session_for(
    train: list[Document],
    dev: list[Document],
    store: FeatureStore,
    *,
    checkpoints: Checkpoints | None = None,
    notes: list[str] | None = None,
    **params: object,
) -> TrainingSession:
    settings = TrainingParams.model_validate({"epochs": 2, "batch_size": 4, **params})
    notify = (lambda lines: None) if notes is None else notes.extend
    return TrainingSession(
        train, dev, store, head=HEAD, params=settings, device=CPU, checkpoints=checkpoints, notify=notify
    )


def test_a_run_ends_in_two_models_and_its_reports(
    store: FeatureStore, documents: list[Document], tmp_path: Path
) -> None:
    notes: list[str] = []
    result = session_for(documents, documents, store, notes=notes, held_out=0.5).run()
    record = result.best.manifest.training
    assert (record.seed, record.dev_f1) == (0, max(epoch.dev_f1 for epoch in result.curves[0]))
    assert result.last.manifest.training.epoch == 2
    assert [row[0] for row in result.learning_curve()] == [1, 2]
    assert [row[0] for row in result.layer_weights()] == ["01", "02", "03"]
    report = result.report()
    assert (report["epochs"], report["best_epoch"], report["dev_f1"]) == (2, record.epoch, record.dev_f1)
    assert "temperatures: 1.0, because train has too few documents to hold any out" in notes  # they are near copies
    result.best.save(tmp_path)
    loaded = SavedModel.load(tmp_path, device=CPU).manifest
    assert loaded.model_copy(update={"sha256": ""}) == result.best.manifest


def test_without_dev_there_is_no_f1(store: FeatureStore, documents: list[Document]) -> None:
    result = session_for(documents, [], store, held_out=0).run()
    assert result.best.manifest.training.dev_f1 is None
    assert "dev_f1" not in result.report()
    assert [row[2] for row in result.learning_curve()] == ["", ""]


def test_heads_of_a_part_of_train_have_all_its_labels(store: FeatureStore, documents: list[Document]) -> None:
    session = session_for(documents, [], store)
    part = [replace(document, spans=document.spans[:1]) for document in documents[:2]]
    assert {span.label for document in part for span in document.spans} == {"PER"}
    head = session.fit(part, []).head
    assert session.manifest.labels == ["LOC", "PER"]
    assert head.emissions.out_features == len(session.manifest.tag_set)


def test_fresh_heads_depend_on_the_seed_only(store: FeatureStore, documents: list[Document]) -> None:
    sessions = [session_for(documents, [], store, seed=seed) for seed in (1, 1, 2)]
    before = torch.get_rng_state()
    first, same, other = (session.new_head().emissions.weight for session in sessions)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_checkpoints_are_removed_when_the_result_is_saved(
    store: FeatureStore, documents: list[Document], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.write_text("1")
    checkpoints = Checkpoints(tmp_path / "runs", (data,))
    result = session_for(documents, [], store, checkpoints=checkpoints).run()
    assert len(list(checkpoints.folder.iterdir())) == len(result.checkpoints) == 1
    data.write_text("2")
    other = session_for(documents, [], store, checkpoints=checkpoints).fit(documents, [])
    assert other.checkpoint is not None
    assert other.checkpoint.path not in {checkpoint.path for checkpoint in result.checkpoints}
    other.checkpoint.discard()
    result.discard_checkpoints()
    assert list(checkpoints.folder.iterdir()) == []


def test_a_train_split_without_entities_is_one_clear_line(store: FeatureStore, documents: list[Document]) -> None:
    blind = [replace(document, spans=()) for document in documents]
    with pytest.raises(DataError, match="train split has no entities to learn from"):
        session_for(blind, [], store)
