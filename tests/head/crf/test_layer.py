"""Sums over paths: log Z, likelihood, marginals and their gradients, against the enumeration of all paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ner_head.head.crf import LinearChainCRF
from tests.head.crf.oracle import ENGINES, Batch, Paths, batches, engine

# a number of tags takes seconds to compile; the interpreted kernels and torch take them all
COMPILED = {"n_tags": (6,)}
CASES = [
    pytest.param("compiled", COMPILED, 60, id="compiled"),
    pytest.param("interpreted", {}, 15, id="interpreted"),
    pytest.param("torch", {}, 30, id="torch"),
]


def examples(strategy: dict, count: int, check) -> None:
    """Run a check on drawn batches."""

    @settings(max_examples=count, deadline=None, derandomize=True, database=None)
    @given(batches(**strategy), st.integers(0, 10_000))
    def run(batch: Batch, pick: int) -> None:
        check(batch, pick)

    run()


def expected_marginals(batch: Batch, paths: list[Paths]) -> Tensor:
    """p(tag at piece) as a sum over paths, (B, P, T)."""
    result = torch.zeros(batch.emissions.shape, dtype=torch.float64)
    for row, found in zip(result, paths, strict=True):
        for position in range(found.tags.shape[1]):
            for tag in range(row.shape[1]):
                row[position, tag] = found.probability(found.tags[:, position] == tag)
    return result


@pytest.mark.parametrize(("name", "strategy", "count"), CASES)
def test_sums_over_paths_are_those_of_the_enumeration(name: str, strategy: dict, count: int) -> None:
    def check(batch: Batch, pick: int) -> None:
        paths = batch.paths()
        tags = batch.gold(paths, pick)
        with engine(name):
            log_z = batch.model.log_partition(batch.emissions, batch.mask)
            likelihood = batch.model.log_likelihood(batch.emissions, tags, batch.mask)
            marginals = batch.model.marginals(batch.emissions, batch.mask)
            entropy = batch.model.entropy(batch.emissions, batch.mask)
        wanted = [found.scores[pick % len(found.scores)] - found.log_z for found in paths]
        torch.testing.assert_close(log_z, torch.tensor([found.log_z for found in paths]).float(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(likelihood, torch.tensor(wanted).float(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(marginals.double(), expected_marginals(batch, paths), atol=1e-5, rtol=0)
        spread = [-(p[p > 0] * np.log(p[p > 0])).sum() for p in (found.probabilities for found in paths)]
        torch.testing.assert_close(entropy.double(), torch.tensor(spread), atol=1e-4, rtol=1e-5)

    examples(strategy, count, check)


@pytest.mark.parametrize(("name", "strategy", "count"), CASES)
def test_the_gradient_of_log_z_is_the_marginals(name: str, strategy: dict, count: int) -> None:
    def check(batch: Batch, _: int) -> None:
        paths = batch.paths()
        emissions = batch.emissions.clone().requires_grad_()
        batch.model.zero_grad()
        with engine(name):
            batch.model.log_partition(emissions, batch.mask).sum().backward()
        unary = expected_marginals(batch, paths)
        torch.testing.assert_close(emissions.grad.double(), unary, atol=1e-5, rtol=0)
        model = batch.model
        first, last = unary[:, 0].sum(dim=0), sum(row[n - 1] for row, n in zip(unary, batch.lengths, strict=True))
        torch.testing.assert_close(model.start.grad.double(), first, atol=1e-5, rtol=0)
        torch.testing.assert_close(model.end.grad.double(), last, atol=1e-5, rtol=0)
        for before in range(model.n_tags):
            for after in range(model.n_tags):
                count = sum(
                    float(
                        ((found.tags[:, :-1] == before) & (found.tags[:, 1:] == after)).sum(axis=1)
                        @ found.probabilities
                    )
                    for found in paths
                )
                assert math.isclose(float(model.transitions.grad[before, after]), count, abs_tol=1e-4)

    examples(strategy, count, check)


@pytest.mark.parametrize(("name", "strategy", "count"), CASES)
def test_the_gradient_of_the_loss_is_gold_less_marginals_weighed_by_sentence(
    name: str, strategy: dict, count: int
) -> None:
    def check(batch: Batch, pick: int) -> None:
        paths = batch.paths()
        tags, emissions = batch.gold(paths, pick), batch.emissions.clone().requires_grad_()
        weights = torch.linspace(-1, 2, len(tags))
        batch.model.zero_grad()
        with engine(name):
            (weights * batch.model.log_likelihood(emissions, tags, batch.mask)).sum().backward()
        gold = torch.nn.functional.one_hot(tags.clamp(min=0), batch.model.n_tags) * batch.mask.unsqueeze(2)
        wanted = weights[:, None, None] * (gold - expected_marginals(batch, paths))
        torch.testing.assert_close(emissions.grad.double(), wanted, atol=1e-5, rtol=0)
        assert bool((batch.model.transitions.grad[batch.model.forbidden_pairs] == 0).all())
        assert abs(float(batch.model.start.grad.sum())) < 1e-4

    examples(strategy, count, check)


def test_the_likelihood_on_a_device_is_that_of_the_enumeration() -> None:
    def check(batch: Batch, pick: int) -> None:
        paths = batch.paths()
        emissions = torch.where(batch.mask.unsqueeze(2), batch.emissions, 0.0)
        found = batch.model.log_likelihood_on_device(emissions, batch.gold(paths, pick), batch.mask)
        wanted = [found.scores[pick % len(found.scores)] - found.log_z for found in paths]
        torch.testing.assert_close(found, torch.tensor(wanted).float(), atol=1e-5, rtol=1e-5)

    examples({}, 30, check)


@pytest.mark.parametrize("name", ENGINES)
def test_all_paths_have_a_probability_of_one_together(name: str) -> None:
    torch.manual_seed(0)
    model, emissions = LinearChainCRF(6), torch.randn(1, 4, 6)
    tags = torch.cartesian_prod(*[torch.arange(6)] * 4)
    rows, mask = emissions.expand(len(tags), -1, -1), torch.ones(len(tags), 4, dtype=torch.bool)
    with engine(name), torch.no_grad():
        total = model.log_likelihood(rows, tags, mask).exp().sum()
    assert abs(float(total) - 1) < 1e-5


@pytest.mark.parametrize("name", ["compiled", "torch"])
def test_gradcheck_in_float64(name: str) -> None:
    torch.manual_seed(0)
    model = LinearChainCRF(6).double()
    emissions = torch.randn(3, 3, 6, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(3) < torch.tensor([[3], [2], [1]])
    tags = torch.randint(6, (3, 3))
    scores = (model.transitions, model.start, model.end)

    def likelihood(emissions: Tensor, *_: Tensor) -> Tensor:
        return model.log_likelihood(emissions, tags, mask)

    with engine(name):
        assert torch.autograd.gradcheck(likelihood, (emissions, *scores))
        assert torch.autograd.gradcheck(lambda e, *_: model.log_partition(e, mask), (emissions, *scores))


@pytest.mark.parametrize("name", ENGINES)
def test_a_graph_can_be_walked_twice(name: str) -> None:
    torch.manual_seed(0)
    model, emissions = LinearChainCRF(6), torch.randn(2, 4, 6, requires_grad=True)
    with engine(name):
        loss = model.log_partition(emissions, torch.ones(2, 4, dtype=torch.bool)).sum()
        loss.backward(retain_graph=True)
        once = emissions.grad.clone()
        loss.backward()
    torch.testing.assert_close(emissions.grad, 2 * once)


@pytest.mark.parametrize("name", ENGINES)
def test_frozen_emissions_still_train_the_transitions(name: str) -> None:
    torch.manual_seed(0)
    model, emissions = LinearChainCRF(6), torch.randn(2, 4, 6)
    with engine(name):
        (
            -model.log_likelihood(
                emissions, torch.zeros(2, 4, dtype=torch.long), torch.ones(2, 4, dtype=torch.bool)
            ).sum()
        ).backward()
    assert float(model.transitions.grad[0, 0]) < 0
