"""Sets of tags: the sum over all paths of allowed tags, and its gradient, against the enumeration of all paths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ner_head.corpus.tagging import TagSet
from ner_head.head.crf import Forbidden, LinearChainCRF
from tests.head.crf.oracle import Batch, Paths, batches, engine

CASES = [("compiled", {"n_tags": (6,)}, 25), ("torch", {}, 20)]


def consistent(paths: Paths, allowed: Tensor) -> np.ndarray:
    """Which paths have allowed tags only, (N,)."""
    flags = allowed.numpy()
    return np.array([all(flags[t, tag] for t, tag in enumerate(path)) for path in paths.tags])


def some_tags(batch: Batch, paths: list[Paths], seed: int) -> Tensor:
    """A legal path of each sentence and about half of the other tags; the tags of padding do not matter."""
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(batch.emissions.shape, generator=generator) < 0.5
    gold = batch.gold(paths, seed)
    return allowed | (
        torch.nn.functional.one_hot(gold.clamp(min=0), batch.emissions.shape[2]).bool() & (gold >= 0)[..., None]
    )


@pytest.mark.parametrize(("name", "strategy", "count"), CASES)
def test_a_set_of_tags_has_the_probability_of_its_paths(name: str, strategy: dict, count: int) -> None:
    @settings(max_examples=count, deadline=None, derandomize=True, database=None)
    @given(batches(**strategy), st.integers(0, 10_000))
    def run(batch: Batch, seed: int) -> None:
        paths = batch.paths()
        allowed = some_tags(batch, paths, seed)
        emissions = batch.emissions.clone().requires_grad_()
        batch.model.zero_grad()
        with engine(name):
            found = batch.model.log_likelihood_of_sets(emissions, allowed, batch.mask)
            found.sum().backward()
        inside = [consistent(*each) for each in zip(paths, allowed, strict=True)]
        wanted = [np.log(each.probability(chosen)) for each, chosen in zip(paths, inside, strict=True)]
        torch.testing.assert_close(found.double(), torch.tensor(wanted), atol=1e-5, rtol=1e-5)
        free = torch.zeros(batch.emissions.shape, dtype=torch.float64)
        pairs = torch.zeros(batch.model.transitions.shape, dtype=torch.float64)
        for row, each, chosen in zip(free, paths, inside, strict=True):
            chances = each.probabilities * chosen / each.probability(chosen) - each.probabilities
            for path, chance in zip(each.tags.tolist(), chances, strict=True):
                for t, tag in enumerate(path):
                    row[t, tag] += chance
                    if t:
                        pairs[path[t - 1], tag] += chance
        torch.testing.assert_close(emissions.grad.double(), free, atol=1e-5, rtol=0)
        torch.testing.assert_close(batch.model.transitions.grad.double(), pairs, atol=1e-5, rtol=0)

    run()


@pytest.mark.parametrize("name", ["compiled", "torch"])
def test_a_single_tag_at_each_piece_is_the_likelihood_of_a_path(name: str) -> None:
    tag_set, generator = TagSet.iob(["LOC", "PER"]), torch.Generator().manual_seed(0)
    crf = LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))
    emissions = 5 * torch.randn(2, 7, len(tag_set), generator=generator)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    tags = torch.tensor([[0, 1, 2, 0, 3, 4, 4], [1, 2, 2, 0, 0, 0, 0]])
    with engine(name):
        path = crf.log_likelihood(emissions, tags, mask)
        sets = crf.log_likelihood_of_sets(emissions, torch.nn.functional.one_hot(tags, len(tag_set)).bool(), mask)
        everything = crf.log_likelihood_of_sets(emissions, torch.ones_like(emissions, dtype=torch.bool), mask)
        on_device = crf.log_likelihood_on_device(emissions, torch.ones_like(emissions, dtype=torch.bool), mask)
    torch.testing.assert_close(sets, path, atol=1e-5, rtol=1e-6)
    torch.testing.assert_close(everything, torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(on_device, torch.zeros(2), atol=1e-5, rtol=0)


def test_sets_without_a_legal_path_and_wrong_shapes_are_errors() -> None:
    tag_set = TagSet.iob(["PER"])
    crf = LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))
    emissions, mask = torch.zeros(2, 2, 3), torch.ones(2, 2, dtype=torch.bool)
    allowed = torch.ones(2, 2, 3, dtype=torch.bool)
    allowed[1, 0] = torch.tensor([True, False, False])  # O, and then only I-PER
    allowed[1, 1] = torch.tensor([False, False, True])
    with pytest.raises(ValueError, match="no legal path of sentence 1 has allowed tags only"):
        crf.log_likelihood_of_sets(emissions, allowed, mask)
    with pytest.raises(ValueError, match=r"allowed must be \(2, 2, 3\) bool like the emissions"):
        crf.log_likelihood_of_sets(emissions, allowed[:1], mask)
