"""A feature store as a data set of torch."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import Document
from ner_head.features.store.store import FeatureStore
from ner_head.probing.dataset import IGNORED, ProbeDataset, collate
from tests.conftest import ROOT


def test_an_item_has_the_states_of_a_sentence_and_the_tags_of_its_words(
    store: FeatureStore, documents: list[Document]
) -> None:
    data = ProbeDataset(store.directory, documents=documents)
    assert len(data) == sum(len(document.sentences) for document in documents) == len(store)
    assert data.tag_set is not None
    assert data.tag_set.tags == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    item = data[0]
    features = store[item.name]
    assert item.name == "news/cs/cs-1#0"
    np.testing.assert_array_equal(item.hidden.numpy(), features.hidden.astype(np.float32))
    assert item.word_of_piece.tolist() == features.word_of_piece.tolist()
    tags = [data.tag_set.tags[label] for label in item.labels]
    assert tags == ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]


@pytest.mark.parametrize("pool", ["piece", "word", "sentence"])
def test_vectors_are_means_over_pieces(store: FeatureStore, pool: str) -> None:
    data = ProbeDataset(store, pool=pool, layers="2-3")
    for item in (data[0], data[5]):
        states = store[item.name].hidden[:, 1:].astype(np.float32)
        words = store[item.name].word_of_piece
        expected = {
            "piece": states,
            "word": np.stack([states[words == word].mean(0) for word in range(words[-1] + 1)]),
            "sentence": states[1:].mean(0)[None],
        }
        np.testing.assert_allclose(item.hidden.numpy(), expected[pool], atol=1e-6)
        assert item.labels.shape == (0,)


def test_a_batch_is_padded(store: FeatureStore, documents: list[Document]) -> None:
    data = ProbeDataset(store, documents=documents, pool="word")
    items = [data[0], data[1]]
    batch = collate(items)
    n_words = [len(item.labels) for item in items]
    assert batch.names == [item.name for item in items]
    assert batch.mask.sum(1).tolist() == n_words
    assert batch.hidden.shape == (2, max(n_words), 3, 16)
    assert not batch.hidden[~batch.mask].any()
    assert ((batch.labels == IGNORED) == ~batch.mask).all()
    assert batch.labels.dtype == batch.word_of_piece.dtype == torch.int64


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_loader_read_the_same(store: FeatureStore, documents: list[Document], method: str) -> None:
    data = ProbeDataset(store, documents=documents)
    alone = list(DataLoader(data, batch_size=4, collate_fn=collate))
    loader = DataLoader(data, batch_size=4, collate_fn=collate, num_workers=2, multiprocessing_context=method)
    for mine, theirs in zip(alone, loader, strict=True):
        assert mine.names == theirs.names
        assert all(torch.equal(a, b) for a, b in zip(mine[1:], theirs[1:], strict=True))


def test_other_documents_pools_and_layers_are_refused(store: FeatureStore, documents: list[Document]) -> None:
    with pytest.raises(UsageError, match="pool: must be one of piece, word, sentence, got 'token'"):
        ProbeDataset(store, pool="token")
    with pytest.raises(UsageError, match="layers: 4, but the encoder has layers 0 to 3"):
        ProbeDataset(store, layers="4")
    with pytest.raises(DataError, match="the features have layers 1-3 of the encoder"):
        _ = ProbeDataset(store, layers="0-1")[0]
    other = Document("x", "Jan.", "cs", "news", documents[0].sentences[:1])
    with pytest.raises(DataError, match="no features of news/cs/x#0; give the documents of the store"):
        ProbeDataset(store, documents=[other])


def test_the_probe_in_the_documentation_learns(
    store: FeatureStore, documents: list[Document], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ner_head.corpus.records import write_documents

    text = (ROOT / "docs/integrations.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from torch\.utils.*?)```", text, re.DOTALL)
    assert len(code.strip().splitlines()) <= 17
    monkeypatch.chdir(store.directory.parent)
    (store.directory.parent / "data/prepared").mkdir(parents=True, exist_ok=True)
    if not (store.directory.parent / "data/features").exists():
        (store.directory.parent / "data/features").symlink_to(store.directory)
    write_documents(store.directory.parent / "data/prepared/train.jsonl", documents)
    exec(compile(code, "docs/integrations.md", "exec"), {})
    losses = [float(line) for line in capsys.readouterr().out.split()]
    assert losses[-1] < 0.6 * losses[0]
