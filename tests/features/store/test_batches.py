from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ner_head.features.store.batches import length_batches, pad_features, shuffled_batches
from ner_head.features.store.shard import Features


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_length_batches_cover_everything_within_the_budget(lengths: list[int], budget: int) -> None:
    lengths.sort()
    batches = length_batches(lengths, budget)
    assert [i for batch in batches for i in batch] == list(range(len(lengths)))
    assert all(len(b) == 1 or lengths[b.stop - 1] * len(b) <= budget for b in batches)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_has_every_sentence_once(lengths: list[int], size: int, seed: int) -> None:
    batches = shuffled_batches(lengths, size, seed=seed, bucket=4)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)
    assert batches == shuffled_batches(lengths, size, seed=seed, bucket=4)


def test_padding_is_zero_and_masked() -> None:
    def sentence(n: int) -> Features:
        return Features(np.ones((n, 2, 3), np.float16), np.zeros(n, np.int32), np.zeros(n, np.int32))

    batch = pad_features([sentence(2), sentence(4)]).to(torch.device("cpu"))
    assert batch.mask.tolist() == [[True, True, False, False], [True] * 4]
    assert batch.hidden.shape == (2, 4, 2, 3)
    assert batch.hidden[0, 2:].abs().sum() == 0
    assert (batch.hidden[0, :2] == 1).all()
