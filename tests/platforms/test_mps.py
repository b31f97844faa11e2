"""The network, its training and its encoder on a device without float64: a simulation of Apple's MPS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ner_head.corpus.documents import Document
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.store import FeatureStore
from ner_head.head.crf import LinearChainCRF
from ner_head.inference.predictions import predict_from_store
from ner_head.inference.saved_model import SavedModel
from ner_head.inference.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer
from tests.conftest import LANGUAGES, encode_documents
from tests.platforms.mps import DEVICE, MpsTensor, simulated_mps


def test_the_simulation_refuses_float64_and_mixed_devices() -> None:
    with simulated_mps() as device:
        one = torch.ones(3).to(device)
        assert isinstance(one, MpsTensor)
        assert (one.device, (one + 1).cpu().tolist()) == (DEVICE, [2.0, 2.0, 2.0])
        with pytest.raises(TypeError, match="float64"):
            one.double()
        with pytest.raises(TypeError, match="float64"):
            torch.zeros(2, dtype=torch.float64, device=device)
        with pytest.raises(RuntimeError, match="same device"):
            one + torch.ones(3)


@pytest.mark.parametrize("compiled", [True, False])
def test_the_crf_gives_the_same_on_mps(compiled: bool) -> None:
    torch.manual_seed(0)
    crf = LinearChainCRF(5)
    crf.compiled = compiled
    emissions, tags = torch.randn(3, 6, 5), torch.randint(5, (3, 6))
    mask = torch.arange(6) < torch.tensor([[6], [4], [1]])
    expected = crf.log_likelihood(emissions, tags, mask), crf.marginals(emissions, mask), crf.entropy(emissions, mask)
    paths = crf.decode(emissions, mask, 3)
    with simulated_mps() as device:
        crf.to(device)
        there = [each.to(device) for each in (emissions, tags, mask)]
        found = (
            crf.log_likelihood(*there),
            crf.marginals(there[0], there[2]),
            crf.entropy(there[0], there[2]),
            crf.log_partition(there[0], there[2]),
        )
        assert crf.decode(there[0], there[2], 3) == paths
        for one, other in zip(found, expected, strict=False):
            assert torch.allclose(one.cpu(), other, atol=1e-5)


def test_the_encoder_gives_the_same_on_mps(tiny_encoder: Path, encoder: Encoder, documents: list[Document]) -> None:
    expected = encode_documents(documents, encoder, batch_pieces=64)
    with simulated_mps() as device:
        found = encode_documents(documents, Encoder(tiny_encoder, device=device), batch_pieces=64)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one.hidden.astype(float), other.hidden.astype(float), atol=1e-2)  # float16


def test_a_head_is_trained_and_used_on_mps(
    model: Path, store: FeatureStore, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.mps, "manual_seed", torch.default_generator.manual_seed)
    saved = SavedModel.load(model, device=torch.device("cpu"))
    cpu = Tagger(saved.head, saved.manifest.tag_set, torch.device("cpu"))
    expected = predict_from_store(cpu, documents, store, LANGUAGES)
    with simulated_mps() as device:
        tagger = Tagger(saved.head.to(device), saved.manifest.tag_set, device)
        assert {parameter.device for parameter in tagger.head.parameters()} == {device}
        found = predict_from_store(tagger, documents, store, LANGUAGES)
        assert [each.document.spans for each in found] == [each.document.spans for each in expected]
        params = TrainingParams(epochs=1, batch_size=4, learning_rate=0.01)
        trainer = Trainer(tagger.head, saved.manifest.tag_set, LANGUAGES, params=params, device=device)
        trainer.fit(examples(documents, saved.manifest.tag_set, LANGUAGES), documents, store)
        assert trainer.dev_f1(documents, store) == 1.0
