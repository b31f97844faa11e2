"""The n best paths, against the enumeration of all paths."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ner_head.head.crf import Forbidden, Hypothesis, LinearChainCRF, layer
from tests.head.crf.oracle import ENGINES, Batch, Paths, all_paths, batches, engine, model_with

N_BEST = st.one_of(st.integers(1, 12), st.sampled_from([50, 3000]))


def assert_as_enumerated(name: str, batch: Batch, n: int) -> None:
    paths = batch.paths()
    with engine(name):
        decoded = batch.model.decode(batch.emissions, batch.mask, n=n)
        again = batch.model.decode(batch.emissions, batch.mask, n=n)
    assert decoded == again
    for found, wanted in zip(decoded, paths, strict=True):
        assert_same_paths(found, wanted, n)


def assert_same_paths(found: list[Hypothesis], wanted: Paths, n: int) -> None:
    """Set, order, scores, probabilities: all as enumerated; ties by reversed tags."""
    assert len(found) == min(n, len(wanted.tags))
    assert [hypothesis.tags for hypothesis in found] == wanted.tags[:n].tolist()
    assert [hypothesis.score for hypothesis in found] == wanted.scores[:n].tolist()
    for hypothesis, probability in zip(found, wanted.probabilities, strict=False):
        assert math.isclose(hypothesis.probability, probability, rel_tol=1e-4, abs_tol=1e-6)
    assert math.fsum(hypothesis.probability for hypothesis in found) <= 1 + 1e-5


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(batches(n_tags=(6,)), N_BEST)
def test_the_n_best_paths_are_those_of_the_enumeration(batch: Batch, n: int) -> None:
    assert_as_enumerated("compiled", batch, n)


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e4])
@pytest.mark.parametrize("seed", range(6))
def test_the_same_where_sums_in_another_order_have_other_last_bits(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    # 1e-9 beside 1: the last bits decide about the order of many paths
    scores = [torch.randn(size, generator=generator) * scale + (scale < 1) for size in ((6, 6), (6,), (6,))]
    emissions = torch.randn(2, 6, 6, generator=generator, dtype=torch.float64) * scale + (scale < 1)
    batch = Batch(model_with(*scores).double(), emissions, torch.arange(6) < torch.tensor([[6], [4]]))
    for n in (2, 11, 400):
        assert_as_enumerated("compiled", batch, n)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(batches(), st.integers(1, 12))
def test_the_same_with_kernels_that_are_not_compiled(batch: Batch, n: int) -> None:
    assert_as_enumerated("interpreted", batch, n)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(batches(), st.integers(1, 12))
def test_the_same_without_a_place_to_keep_compiled_kernels(batch: Batch, n: int) -> None:
    assert_as_enumerated("torch", batch, n)


@pytest.mark.parametrize("name", ENGINES)
def test_ties_go_to_the_lower_last_tag_then_to_the_lower_before_it(name: str) -> None:
    # four of the six tags can never be used: the eight paths left all score 0
    never = torch.arange(6) > 1
    model = model_with(torch.zeros(6, 6), torch.zeros(6), torch.zeros(6), Forbidden(never.repeat(6, 1), never, never))
    with engine(name):
        (found,) = model.decode(torch.zeros(1, 3, 6), torch.ones(1, 3, dtype=torch.bool), n=99)
    assert [h.tags for h in found] == [[a, b, c] for c in (0, 1) for b in (0, 1) for a in (0, 1)]
    assert all(math.isclose(h.probability, 1 / 8, rel_tol=1e-6) for h in found)


@pytest.mark.parametrize("name", ENGINES)
def test_one_word_gets_each_tag_once(name: str) -> None:
    model = model_with(torch.zeros(6, 6), torch.arange(6.0), torch.zeros(6))
    with engine(name):
        (found,) = model.decode(torch.zeros(1, 4, 6), torch.tensor([[True, False, False, False]]), n=11)
    assert [h.tags for h in found] == [[5], [4], [3], [2], [1], [0]]
    assert math.isclose(sum(h.probability for h in found), 1, rel_tol=1e-6)


def test_a_long_sentence_has_the_same_best_paths_as_its_oracle_by_dynamic_programming() -> None:
    torch.manual_seed(0)
    model, emissions, n = LinearChainCRF(6), torch.randn(1, 300, 6).mul(4).round().div(4), 25
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.mul(40).round().div(4))
    scores = model.transitions.double().detach(), model.start.double().detach(), model.end.double().detach()
    kept = [[(float(scores[1][tag] + emissions[0, 0, tag].double()), (tag,))] for tag in range(6)]
    for row in emissions[0, 1:].double().tolist():
        kept = [
            sorted(
                ((s + float(scores[0][p[-1]][tag]) + row[tag], (*p, tag)) for lists in kept for s, p in lists),
                key=lambda item: (-item[0], item[1][::-1]),
            )[:n]
            for tag in range(6)
        ]
    ends = [(s + float(scores[2][p[-1]]), p) for lists in kept for s, p in lists]
    wanted = sorted(ends, key=lambda item: (-item[0], item[1][::-1]))[:n]
    (found,) = model.decode(emissions, torch.ones(1, 300, dtype=torch.bool), n=n)
    assert [(h.score, tuple(h.tags)) for h in found] == wanted


def test_more_tags_than_a_kernel_takes_are_decoded_all_the_same() -> None:
    torch.manual_seed(0)
    n_tags = layer.MOST_TAGS + 1
    model, emissions = LinearChainCRF(n_tags), torch.randn(1, 2, n_tags)
    (found,) = model.decode(emissions, torch.ones(1, 2, dtype=torch.bool), n=5)
    compare_tags = all_paths(model, emissions[0]).tags[:5].tolist()
    assert [h.tags for h in found] == compare_tags


def test_a_certain_path_has_a_probability_of_one_at_most() -> None:
    only = ~torch.eye(6, dtype=torch.bool)
    model = LinearChainCRF(6, Forbidden(only, torch.arange(6) > 0, torch.zeros(6)))
    (found,) = model.decode(torch.randn(1, 50, 6), torch.ones(1, 50, dtype=torch.bool), n=3)
    assert [h.tags for h in found] == [[0] * 50]
    assert 1 - 1e-5 < found[0].probability <= 1


def test_n_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        LinearChainCRF(6).decode(torch.zeros(1, 1, 6), torch.ones(1, 1, dtype=torch.bool), n=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_emissions_that_are_not_finite_are_refused(value: float) -> None:
    emissions = torch.zeros(2, 3, 6)
    emissions[1, 2, 4] = value
    with pytest.raises(ValueError, match="sentence 1 has no best path: log Z is"):
        LinearChainCRF(6).decode(emissions, torch.ones(2, 3, dtype=torch.bool))
