from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ner_head.head.model import Head, Steps, build_head
from ner_head.head.params import HeadParams, WordParams
from ner_head.head.words import WordEmbeddings, WordFeatures

PARAMS = HeadParams(words=WordParams(width=6, buckets=50))
IDS = torch.tensor([[[7, 3_000_000_001, 0], [9, 0, 0], [11, 7, 4]], [[9, 0, 0], [0, 0, 0], [0, 0, 0]]])
OF_PIECE = torch.tensor([[-1, 0, 0, 1, 2], [-1, 0, -1, -1, -1]])


def test_a_word_is_the_sum_of_its_features_for_each_of_its_pieces() -> None:
    table = WordEmbeddings(50, 6, dropout=0.0)
    rows = table.table.weight
    found = table(WordFeatures(IDS, OF_PIECE))
    assert found.shape == (2, 5, 6)
    torch.testing.assert_close(found[0, 1], rows[1 + 7] + rows[1 + 3_000_000_001 % 50])
    torch.testing.assert_close(found[0, 1], found[0, 2])
    torch.testing.assert_close(found[0, 3], rows[1 + 9])
    assert (found[0, 0] == 0).all()  # [CLS]
    assert (found[1, 2:] == 0).all()  # pads


def test_no_feature_learns_nothing() -> None:
    table = WordEmbeddings(50, 6, dropout=0.0)
    table(WordFeatures(IDS, OF_PIECE)).sum().backward()
    grad = table.table.weight.grad
    assert grad is not None
    assert (grad[0] == 0).all()
    assert set(grad.any(1).nonzero().flatten().tolist()) == {1 + 7, 1 + 1, 1 + 9, 1 + 11, 1 + 4}


def test_dropout_leaves_out_whole_features_and_only_in_training() -> None:
    table = WordEmbeddings(50, 6, dropout=0.5)
    words = WordFeatures(torch.arange(1, 41).view(1, 40, 1), torch.arange(40)[None])
    torch.manual_seed(0)
    gone = (table(words) == 0).all(-1)
    assert 8 < int(gone.sum()) < 32
    torch.testing.assert_close(table.eval()(words)[0], table.table.weight[2:42])


def head(params: HeadParams) -> Head:
    torch.manual_seed(0)
    return build_head(params, n_layers=2, width=4, tag_set=params.tag_set(["LOC"]), languages=["cs", "pl"]).eval()


@pytest.mark.parametrize("tags", ["iob", "iobx"])
def test_a_padded_sentence_scores_the_same_alone(tags: str) -> None:
    one = head(PARAMS.model_copy(update={"tags": tags}))
    hidden = torch.randn(2, 5, 2, 4)
    mask = OF_PIECE >= -1
    mask[1, 2:] = False
    steps = Steps(torch.arange(5).expand(2, 5), mask)
    together = one(hidden, mask, steps, WordFeatures(IDS, OF_PIECE)).emissions
    alone = one(
        hidden[1:, :2],
        mask[1:, :2],
        Steps(steps.pieces[1:, :2], mask[1:, :2]),
        WordFeatures(IDS[1:, :1], OF_PIECE[1:, :2]),
    ).emissions
    torch.testing.assert_close(alone[0], together[1, :2], atol=1e-5, rtol=1e-5)


def test_words_change_the_emissions_only_of_a_head_with_a_part_for_them() -> None:
    hidden, mask = torch.randn(2, 5, 2, 4), torch.ones(2, 5, dtype=torch.bool)
    steps, words = Steps(torch.arange(5).expand(2, 5), mask), WordFeatures(IDS, OF_PIECE)
    other = replace(words, ids=words.ids + 1)
    with_words, without = head(PARAMS), head(HeadParams())
    assert not torch.equal(
        with_words(hidden, mask, steps, words).emissions, with_words(hidden, mask, steps, other).emissions
    )
    assert torch.equal(without(hidden, mask, steps, words).emissions, without(hidden, mask, steps).emissions)
