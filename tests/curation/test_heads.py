"""Heads of subsets: an interrupted one goes on, a finished one is read, and other annotations are another head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ner_head.corpus.documents import Document
from ner_head.features.store.store import FeatureStore
from ner_head.folds.heads import SubsetHeads
from ner_head.head.params import HeadParams, LstmParams
from ner_head.training.params import TrainingParams
from ner_head.training.session import TrainingSession
from ner_head.training.state import Checkpoint, RunState


@pytest.fixture
def session(documents: list[Document], store: FeatureStore) -> TrainingSession:
    head = HeadParams(lstm=LstmParams(hidden=4), projection=4, classifier=4)
    params = TrainingParams(epochs=3, batch_size=4)
    return TrainingSession(documents, [], store, head=head, params=params, device=torch.device("cpu"))


def test_an_interrupted_head_goes_on_and_a_finished_one_is_read(
    session: TrainingSession,
    documents: list[Document],
    store: FeatureStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = SubsetHeads(session, store, tmp_path / "whole").tagger(documents[:4]).head.state_dict()
    heads, saved = SubsetHeads(session, store, tmp_path / "parts"), list[int]()
    save = Checkpoint.save

    def interrupted(self: Checkpoint, state: RunState) -> None:
        save(self, state)
        saved.append(len(state.record.curve))
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        heads.tagger(documents[:4])
    found = heads.tagger(documents[:4]).head.state_dict()
    assert saved == [1, 2, 3]
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())
    heads.tagger(documents[:4])
    assert heads.trained == 1
    assert list((tmp_path / "parts/unfinished").iterdir()) == []


def test_other_annotations_or_params_are_another_head(
    session: TrainingSession, documents: list[Document], store: FeatureStore, tmp_path: Path
) -> None:
    heads = SubsetHeads(session, store, tmp_path)
    spoiled = [replace(documents[0], spans=()), *documents[1:4]]
    places = {
        heads.place(documents[:4], session.params),
        heads.place(documents[:3], session.params),
        heads.place(spoiled, session.params),
        heads.place(documents[:4], session.params.model_copy(update={"seed": 1})),
    }
    assert len(places) == 4
