"""Rules: legality, what is refused at construction, and what is refused of a batch."""

from __future__ import annotations

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ner_head.corpus.tagging import TagSet
from ner_head.head.crf import Forbidden, LinearChainCRF
from tests.head.crf.oracle import ENGINES, all_paths, engine

LABELS = ("PER",)  # six tags: kernels are compiled once for all tests
ALL = torch.ones(2, 2, dtype=torch.bool)
ANY = torch.zeros(2, dtype=torch.bool)


def with_rules(tag_set: TagSet) -> LinearChainCRF:
    return LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))


@pytest.mark.parametrize("name", ENGINES)
def test_no_path_of_iobx_breaks_its_rules_however_much_it_would_pay(name: str) -> None:
    tag_set = TagSet.iobx(LABELS)
    torch.manual_seed(0)
    model, emissions = with_rules(tag_set), torch.randn(30, 12, 6) * 3
    emissions[:, :, [0, 1, 2]] += 50  # pads, [CLS] and X would win everywhere
    with engine(name):
        marginals = model.marginals(emissions, torch.ones(30, 12, dtype=torch.bool))
        found = model.decode(emissions, torch.ones(30, 12, dtype=torch.bool), n=5)
    for hypothesis in (h for row in found for h in row):
        tags = [tag_set.tags[tag] for tag in hypothesis.tags]
        assert tags[0] == "[CLS]"
        assert not {"[CLS]", "<pad>"} & set(tags[1:])
        assert all(tag_set.follows(a, b) for a, b in pairwise(tags))
    assert bool((marginals[:, :, 0] == 0).all())
    assert bool((marginals[:, 1:, 1] == 0).all())
    assert bool((marginals[:, 1, 2] == 0).all())


def test_parameters_are_pairs_start_and_end() -> None:
    assert {name: tuple(p.shape) for name, p in LinearChainCRF(14).named_parameters()} == {
        "transitions": (14, 14),
        "start": (14,),
        "end": (14,),
    }
    assert set(LinearChainCRF(14).state_dict()) == {"transitions", "start", "end"}
    assert repr(with_rules(TagSet.iob(["PER"]))) == "LinearChainCRF(n_tags=3, forbidden_pairs=1)"


def test_a_copy_computes_the_same() -> None:
    model = with_rules(TagSet.iobx(LABELS))
    emissions, mask = torch.randn(2, 5, 6), torch.ones(2, 5, dtype=torch.bool)
    assert copy.deepcopy(model).decode(emissions, mask, n=3) == model.decode(emissions, mask, n=3)


@pytest.mark.parametrize(
    ("forbidden", "message"),
    [
        (Forbidden(ALL, ~ANY, ANY), "the rules leave no legal path of any length over 2 tags"),
        (Forbidden(~ALL, ~ANY, ANY), "no legal path of any length"),
        (Forbidden(ALL, torch.tensor([True, False]), torch.tensor([False, True])), "no legal path of any length"),
        (
            Forbidden(ALL, torch.zeros(3), ANY),
            r"rules for 2 tags must be \(2, 2\), \(2,\), \(2,\), got \(2, 2\), \(3,\)",
        ),
    ],
)
def test_rules_without_any_path_are_refused_at_construction(forbidden: Forbidden, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinearChainCRF(2, forbidden)


def test_a_crf_without_tags_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 tag, got 0"):
        LinearChainCRF(0)


TAGS = torch.arange(6)
ONCE = Forbidden(torch.ones(6, 6), torch.zeros(6), torch.zeros(6))  # sentences of one piece only
TURNS = Forbidden(TAGS[:, None] + TAGS != 1, TAGS != 0, TAGS != 1)  # 0 1 0 1 ...: an even number


@pytest.mark.parametrize("name", ENGINES)
def test_a_length_without_a_path_is_refused_when_it_comes(name: str) -> None:
    with engine(name):
        mask = torch.tensor([[True, False], [True, True]])
        with pytest.raises(ValueError, match="no legal path has 2 pieces, as sentence 1 does"):
            LinearChainCRF(6, ONCE).log_partition(torch.zeros(2, 2, 6), mask)
        model = LinearChainCRF(6, TURNS)
        assert len(model.decode(torch.zeros(1, 80, 6), torch.ones(1, 80, dtype=torch.bool), n=3)[0]) == 1
        with pytest.raises(ValueError, match="no legal path has 81 pieces"):
            model.decode(torch.zeros(1, 81, 6), torch.ones(1, 81, dtype=torch.bool))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.booleans(), min_size=15, max_size=15), st.integers(1, 6))
def test_the_rules_know_which_lengths_have_how_many_paths(flags: list[bool], length: int) -> None:
    rule = torch.tensor(flags)
    try:
        model = LinearChainCRF(3, Forbidden(rule[:9].reshape(3, 3), rule[9:12], rule[12:]))
    except ValueError:
        return
    model.rules.cover(length)
    counts = [len(all_paths(model, torch.zeros(n, 3)).tags) for n in range(1, length + 1)]
    assert bool(model.rules.legal[min(length, len(model.rules.legal)) - 1]) == (counts[-1] > 0)
    assert model.rules.most_paths(length, 10_000) == max(counts)
    assert model.rules.most_paths(length, 2) == min(2, max(counts))


BAD_BATCHES = [
    ("emissions", torch.zeros(2, 3, 5), r"emissions must be \(B, P, 6\), got \(2, 3, 5\)"),
    ("emissions", torch.zeros(2, 6), r"emissions must be \(B, P, 6\), got \(2, 6\)"),
    ("mask", torch.ones(2, 4, dtype=torch.bool), r"mask must be \(2, 3\) bool, got \(2, 4\) torch.bool"),
    ("mask", torch.ones(2, 3), r"mask must be \(2, 3\) bool, got \(2, 3\) torch.float32"),
    ("mask", torch.tensor([[True] * 3, [False] * 3]), "sentence 1 has no pieces: its mask is all False"),
    ("mask", torch.tensor([[True] * 3, [True, False, True]]), "the mask of sentence 1 has a gap before piece 2"),
    ("mask", torch.tensor([[False, True, True], [True] * 3]), "the mask of sentence 0 has a gap before piece 1"),
    ("tags", torch.zeros(2, 2, dtype=torch.long), r"tags must be \(2, 3\) like the mask, got \(2, 2\)"),
    ("tags", torch.tensor([[0, 0, 0], [0, 6, 0]]), "tag 6 at piece 1 of sentence 1 is not in 0..5"),
    ("tags", torch.tensor([[0, -100, 0], [0, 0, 0]]), "tag -100 at piece 1 of sentence 0 is not in 0..5"),
    ("tags", torch.tensor([[1, 0, 0], [0, 0, 0]]), "sentence 0 breaks the rules: tag 1 cannot be first"),
    ("tags", torch.tensor([[0, 0, 0], [0, 2, 3]]), "sentence 1 breaks the rules: tag 3 at piece 2 cannot follow tag 2"),
    ("tags", torch.tensor([[0, 0, 4], [0, 0, 0]]), "sentence 0 breaks the rules: tag 4 cannot be last"),
]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("what", "value", "message"), BAD_BATCHES)
def test_a_batch_that_makes_no_sense_is_refused(name: str, what: str, value: torch.Tensor, message: str) -> None:
    pairs, first, last = torch.zeros(6, 6), torch.zeros(6), torch.zeros(6)
    pairs[2, 3], first[1], last[4] = 1, 1, 1
    inputs = {
        "emissions": torch.zeros(2, 3, 6),
        "mask": torch.ones(2, 3, dtype=torch.bool),
        "tags": torch.zeros(2, 3).long(),
    }
    with engine(name), pytest.raises(ValueError, match=message):
        LinearChainCRF(6, Forbidden(pairs, first, last)).log_likelihood(**(inputs | {what: value}))


@pytest.mark.parametrize("name", ENGINES)
def test_a_batch_without_sentences_is_empty(name: str) -> None:
    model, emissions, mask = LinearChainCRF(6), torch.zeros(0, 3, 6), torch.zeros(0, 3, dtype=torch.bool)
    with engine(name):
        assert model.log_likelihood(emissions, mask.long(), mask).shape == (0,)
        assert model.marginals(emissions, mask).shape == (0, 3, 6)
        assert model.entropy(emissions, mask).shape == (0,)
        assert model.decode(emissions, mask, n=2) == []
