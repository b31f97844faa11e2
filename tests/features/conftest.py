"""Fixtures of the feature store's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.corpus.documents import Document
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool


@pytest.fixture
def folder(documents: list[Document], encoder: Encoder, tmp_path: Path) -> Path:
    """A store of several shards, with its pool."""
    pool = Pool(tmp_path / "pool")
    extract(
        documents, encoder, encoder_name="x", shard_words=10, batch_pieces=256, pool=pool, output=tmp_path / "store"
    )
    return tmp_path / "store"
