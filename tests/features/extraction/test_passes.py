from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ner_head.corpus.documents import Document, sentence_id
from ner_head.corpus.segment import segment
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.passes import around, plan_passes, windows
from ner_head.features.extraction.pool import Pool
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from tests.conftest import encode_documents

LENGTHS = st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=6), min_size=1, max_size=3)


@given(LENGTHS, st.integers(2, 30), st.sampled_from(["sentence", "document"]))
def test_every_piece_is_kept_once_and_from_its_own_place(lengths: list[list[int]], capacity: int, context: str) -> None:
    """Pieces are numbered through, so that a wrong place shows."""
    number, documents = 0, []
    for document in lengths:
        documents.append(
            [np.arange(number + sum(document[:i]) - 1, number + sum(document[: i + 1])) for i in range(len(document))]
        )
        number += sum(document)
    sentences = [ids for document in documents for ids in document]
    found: list[list[int]] = [[-1] * len(ids) for ids in sentences]
    for one in plan_passes(documents, context=context, capacity=capacity):
        assert len(one) <= capacity + 2
        row = [None, *one.body.tolist(), None]
        for kept in one.kept:
            for offset, place in enumerate(range(kept.start, kept.end)):
                assert found[kept.sentence][kept.target + offset] == -1
                found[kept.sentence][kept.target + offset] = row[place]
    assert [f[1:] for f in found] == [ids[1:].tolist() for ids in sentences]


@given(st.integers(0, 100), st.integers(1, 20), st.integers(0, 100), st.integers(20, 60))
def test_the_window_is_as_wide_as_fits_and_its_sentence_in_the_middle(
    before: int, length: int, behind: int, capacity: int
) -> None:
    start, end, total = before, before + length, before + length + behind
    low, high = around(start, end, total, capacity)
    assert 0 <= low <= start < end <= high <= total
    assert high - low == min(total, capacity)
    if low > 0 and high < total:
        assert abs((start - low) - (high - end)) <= 1


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(24, 60))
def test_a_document_is_covered_at_about_twice_its_cost(lengths: list[int], capacity: int) -> None:
    """No sentence is longer than half of the capacity, so none needs a window of its own."""
    ends = np.cumsum(lengths).tolist()
    document = [np.arange(end - length - 1, end) for end, length in zip(ends, lengths, strict=True)]
    passes = plan_passes([document], context="document", capacity=capacity)
    assert sum(len(one.body) for one in passes) <= 2 * ends[-1] + capacity
    for one in passes:
        low, high = int(one.body[0]), int(one.body[-1]) + 1
        for kept in one.kept:
            start = low + kept.start - 1
            end = low + kept.end - 1
            others = [w for w in windows(ends[-1], capacity) if w.start <= start and end <= w.end]
            nearest = min(abs(w.start + w.end - start - end) for w in others)
            assert abs(low + high - start - end) == nearest


def test_document_context_sees_the_neighbours_and_keeps_the_sentence_alone(
    tiny_encoder: Path, encoder: Encoder
) -> None:
    wide = Encoder(tiny_encoder, device=torch.device("cpu"), spec=EncoderSpec(context="document", dtype="float32"))
    text = "Ano. Jan a Eva. Vlak jede. Ne. Brno!"
    document = Document("d", text, "cs", sentences=segment(text, "cs"))
    assert len(document.sentences) > 3
    features = encode_documents([document], wide, batch_pieces=256)
    words = [[word.text for word in s.words] for s in document.sentences]
    pieces = encoder.word_pieces.split(words)
    bodies = [p.ids[1:] for p in pieces]
    whole = np.concatenate(bodies)
    start = 0
    for sentence, body in zip(features, bodies, strict=True):
        found = [w for w in windows(len(whole), 22) if w.start <= start and start + len(body) <= w.end]
        low, high = min(((w.start, w.end) for w in found), key=lambda w: abs(sum(w) - 2 * start - len(body)))
        ids = [encoder.word_pieces.cls, *whole[low:high], encoder.word_pieces.sep]
        with torch.inference_mode():
            states = encoder.model(torch.tensor([ids]), None, encoder.layers)
        own = torch.stack(states, dim=2)[0].numpy()
        np.testing.assert_allclose(sentence.hidden[1:], own[1 + start - low : 1 + start - low + len(body)], atol=1e-5)
        np.testing.assert_allclose(sentence.hidden[0], own[0], atol=1e-5)
        start += len(body)
    plain = Encoder(tiny_encoder, device=torch.device("cpu"), spec=EncoderSpec(dtype="float32"))
    narrow = encode_documents([document], plain, batch_pieces=256)
    assert not np.allclose(features[0].hidden, narrow[0].hidden, atol=1e-3)


def views_store(tiny_encoder: Path, documents: list[Document], folder: Path, budget: int = 256) -> FeatureStore:
    noisy = Encoder(tiny_encoder, device=torch.device("cpu"), spec=EncoderSpec(views=2))
    extract(
        documents,
        noisy,
        encoder_name="x",
        shard_words=10,
        batch_pieces=budget,
        pool=Pool(folder / "pool"),
        output=folder,
    )
    return FeatureStore.open(folder)


def test_views_differ_by_dropout_alone_and_depend_on_their_sentence_alone(
    tiny_encoder: Path, encoder: Encoder, documents: list[Document], tmp_path: Path
) -> None:
    torch.manual_seed(1)
    store = views_store(tiny_encoder, documents, tmp_path / "a")
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    fewer = views_store(tiny_encoder, documents[2:4], tmp_path / "b", budget=64)
    assert torch.equal(torch.random.get_rng_state(), state)  # nobody else's draws are touched
    name = sentence_id(documents[2].key, 0)
    clean = encode_documents([documents[2]], encoder, batch_pieces=256)[0].hidden
    np.testing.assert_allclose(store[name].hidden, clean, atol=4e-3)
    first, second = store.view(1)[name].hidden, store.view(2)[name].hidden
    assert not np.allclose(first, second, atol=1e-2)
    assert not np.allclose(first, clean, atol=1e-2)
    assert np.array_equal(first, fewer.view(1)[name].hidden)
    assert np.array_equal(second, fewer.view(2)[name].hidden)


def test_an_epoch_draws_one_view_after_the_other(
    tiny_encoder: Path, documents: list[Document], store: FeatureStore, tmp_path: Path
) -> None:
    noisy = views_store(tiny_encoder, documents[:1], tmp_path)
    name = sentence_id(documents[0].key, 0)
    drawn = [noisy.for_epoch(epoch)[name].hidden for epoch in (1, 2, 3)]
    assert np.array_equal(drawn[0], noisy.view(1)[name].hidden)
    assert np.array_equal(drawn[1], noisy.view(2)[name].hidden)
    assert np.array_equal(drawn[2], drawn[0])
    assert store.for_epoch(5) is store
    with pytest.raises(IndexError, match="view 3 of a store with views 0 to 2"):
        noisy.view(3)


@pytest.mark.parametrize("code", ["bfloat16", "float32", "int8"])
def test_other_codes_give_the_same_features_rounded(
    code: str, tiny_encoder: Path, documents: list[Document], store: FeatureStore, tmp_path: Path
) -> None:
    other = Encoder(tiny_encoder, device=torch.device("cpu"), spec=EncoderSpec(dtype=code))
    extract(
        documents,
        other,
        encoder_name="x",
        shard_words=10,
        batch_pieces=256,
        pool=Pool(tmp_path / "pool"),
        output=tmp_path,
    )
    found = FeatureStore.open(tmp_path)
    assert found.manifest.encoder.dtype == code
    for name in store:
        assert found[name].hidden.dtype == np.float32
        np.testing.assert_allclose(found[name].hidden, store[name].hidden, rtol=2**-7, atol=0.02)
    fresh = encode_documents(documents[:1], other, batch_pieces=64)[0].hidden
    np.testing.assert_allclose(fresh, found[sentence_id(documents[0].key, 0)].hidden, atol=0.03)
