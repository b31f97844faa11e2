"""Fixtures shared by all tests: a tiny random encoder and a few documents."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports transformers: no test reaches for the network

import pytest
import torch

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment
from ner_head.features.encoder import Encoder
from ner_head.features.extract import Pool, extract
from ner_head.features.store import FeatureStore
from tests import tiny_encoders

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

TEXTS = {
    "cs": ("Jana Nováková přijela do Prahy. Vláda mlčela.", ((0, 13, "PER"), (25, 30, "LOC"))),
    "pl": ("Jan Kowalski mieszka w Warszawie. To miasto.", ((0, 12, "PER"), (23, 32, "LOC"))),
    "ru": ("Анна Петрова живёт в Москве. Она рада.", ((0, 12, "PER"), (21, 27, "LOC"))),
}


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT: 3 layers of 16 dimensions, at most 24 pieces, a vocabulary of letters."""
    return tiny_encoders.save("bert", tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def encoder(tiny_encoder: Path) -> Encoder:
    return Encoder(tiny_encoder, device=torch.device("cpu"))


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """Six small documents, two per language, with gold."""
    found = []
    for language, (text, spans) in TEXTS.items():
        for number in (1, 2):
            gold = tuple(Span(*span) for span in spans)
            found.append(Document(f"{language}-{number}", text, language, "news", segment(text, language), gold))
    return found


@pytest.fixture(scope="session")
def store(documents: list[Document], encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """The documents' features, in shards of about 10 words."""
    folder = tmp_path_factory.mktemp("features")
    extract(
        documents,
        encoder,
        model="tiny",
        shard_words=10,
        batch_pieces=256,
        pool=Pool(folder / "pool"),
        output=folder / "store",
    )
    return FeatureStore.open(folder / "store")
