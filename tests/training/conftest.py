"""Fixtures of the tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.corpus.documents import Document
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from tests.training.tuning import stored


@pytest.fixture(scope="module")
def tunable(documents: list[Document], tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """A float32 store of the embeddings' output and of all three layers, with the layers' weights."""
    return stored(
        documents, tiny_encoder, tmp_path_factory.mktemp("tunable"), EncoderSpec(dtype="float32", layers="0-3")
    )
