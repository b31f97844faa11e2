from __future__ import annotations

import numpy as np
import pytest
import torch

from ner_head.base.errors import UsageError
from ner_head.features.store import preload as module
from ner_head.features.store.batches import Resident, keep_pieces, pad_features
from ner_head.features.store.preload import Selection, preload
from ner_head.features.store.store import FeatureStore

CPU = torch.device("cpu")
ALL = Selection("all", None)


@pytest.mark.parametrize(
    "wanted",
    [
        ALL,
        Selection("first", None),
        Selection("all", range(2, 4)),
        Selection("first", range(3, 4)),
        Selection("all", range(2, 3), separator=True),
    ],
)
def test_batches_from_memory_are_those_from_the_files(
    monkeypatch: pytest.MonkeyPatch, store: FeatureStore, wanted: Selection
) -> None:
    monkeypatch.setattr(module, "CHUNK", 500)  # several copies
    names = list(store)[:5]
    held = preload(store, names[::-1], wanted, place="ram", device=CPU)
    sentences = [(keep_pieces(held[n], wanted.pieces), keep_pieces(store[n], wanted.pieces)) for n in names]
    assert all(isinstance(found, Resident) for found, _ in sentences)
    for found, wished in sentences:
        assert np.array_equal(found.piece_ids, wished.piece_ids)
        assert np.array_equal(found.word_of_piece, wished.word_of_piece)
    found, wished = (
        pad_features(list(each), wanted.layers, separator=wanted.separator) for each in zip(*sentences, strict=True)
    )
    assert torch.equal(found.hidden, wished.hidden)
    assert torch.equal(found.mask, wished.mask)
    assert torch.equal(found.separator, wished.separator)
    assert found.separator.shape == (5, 16 if wanted.separator else 0)


def test_sentences_that_are_not_held_are_read_as_ever(store: FeatureStore) -> None:
    first, second = list(store)[:2]
    held = preload(store, [first, "unknown"], ALL, place="ram", device=CPU)
    assert not isinstance(held[second], Resident)
    assert second in held
    assert len(held) == len(store)
    assert held.for_epoch(3).n_pieces(first) == store.n_pieces(first)
    assert not isinstance(store[first], Resident)


@pytest.mark.parametrize(
    "wanted", [ALL, Selection("first", range(2, 4)), Selection("all", range(1, 3), separator=True)]
)
@pytest.mark.parametrize("held_ones", [(0, 2), (1, 3)])
def test_a_batch_of_held_and_plain_sentences_has_all_of_them(
    store: FeatureStore, wanted: Selection, held_ones: tuple[int, int]
) -> None:
    names = list(store)[:4]
    held = preload(store, [names[i] for i in held_ones], wanted, place="ram", device=CPU)
    found, wished = (
        pad_features(
            [keep_pieces(each[name], wanted.pieces) for name in names], wanted.layers, separator=wanted.separator
        )
        for each in (held, store)
    )
    assert torch.equal(found.hidden, wished.hidden)
    assert torch.equal(found.separator, wished.separator)
    assert torch.equal(found.mask, wished.mask)


def test_nothing_is_held_where_nothing_is_to_be_won(store: FeatureStore) -> None:
    for place in ("auto", "none"):
        assert preload(store, list(store), ALL, place=place, device=CPU) is store
    assert preload(store, [], ALL, place="ram", device=CPU) is store


def test_a_gpu_without_room_is_left_alone_and_asked_for_is_one_line(
    monkeypatch: pytest.MonkeyPatch, store: FeatureStore
) -> None:
    monkeypatch.setattr(module, "free_memory", lambda device: 1000.0)
    assert preload(store, list(store), ALL, place="auto", device=torch.device("cuda")) is store
    with pytest.raises(UsageError, match=r"runtime.preload: ram needs 0.0 GB, 0.0 GB are free; use auto or none"):
        preload(store, list(store), ALL, place="ram", device=CPU)


def test_free_memory_is_a_number() -> None:
    assert module.free_memory(CPU) > 1e6
