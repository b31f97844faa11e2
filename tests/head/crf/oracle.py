"""The reference CRF: every path of a sentence, listed; and hypothesis strategies for small CRFs and batches.

Numbers are multiples of 1/4, so that all sums are exact in float32: ties are ties, whatever the order of adding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import TagSet
from ner_head.head.crf import (
    Forbidden,
    LinearChainCRF,
    checks,
    gold,
    kernels,
    layer,
    numba_engine,
    search,
)

ENGINES = ("compiled", "interpreted", "torch")


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Compute with the compiled kernels, the same kernels as plain Python, or torch alone."""
    if name == "compiled":
        yield
    elif name == "torch":
        with patch.object(layer, "_numba_engine", lambda: None):
            yield
    else:
        functions = {
            "check_mask": checks.check_mask,
            "check_gold": checks.check_gold,
            "add_gold": gold.add_gold,
            "sum_gradients": gold.sum_gradients,
            "_tabulate": kernels.tabulate,
            "expectations": cache(kernels.expectations.__wrapped__),
        }
        with (
            patch.multiple(numba_engine, **functions),
            patch.object(kernels, "compiled", lambda function, fast=True: function),
            patch.object(search, "search", lambda T, V, jit: SEARCH(T, V, jit=False)),
            np.errstate(all="ignore"),
        ):
            yield


SEARCH = search.search  # not the function that `engine` puts in its place


class Paths(NamedTuple):
    """All legal paths of a sentence, best first, ties by reversed tags."""

    tags: NDArray[np.int64]  # (N, P)
    scores: NDArray[np.float64]  # (N,)

    @property
    def log_z(self) -> float:
        top = self.scores.max()
        return float(top + np.log(np.exp(self.scores - top).sum()))

    @property
    def probabilities(self) -> NDArray[np.float64]:
        return np.exp(self.scores - self.log_z)

    def probability(self, chosen: NDArray[np.bool_]) -> float:
        return float(self.probabilities[chosen].sum())


def all_paths(model: LinearChainCRF, emissions: Tensor) -> Paths:
    """Every legal path of one sentence, (P, T), by enumeration; scores added from left to right in float64."""
    rules = (model.forbidden_pairs, model.forbidden_first, model.forbidden_last)
    pairs, start, end = (
        np.where(rule.numpy(), -np.inf, score.detach().double().numpy())
        for rule, score in zip(rules, (model.transitions, model.start, model.end), strict=True)
    )
    values = emissions.detach().double().numpy()
    tags, scores = np.arange(len(start))[:, None], start + values[0]
    for row in values[1:]:
        scores = ((scores[:, None] + pairs[tags[:, -1]]) + row).reshape(-1)
        tags = np.column_stack([np.repeat(tags, len(start), axis=0), np.tile(np.arange(len(start)), len(tags))])
        tags, scores = tags[scores > -np.inf], scores[scores > -np.inf]
    scores = scores + end[tags[:, -1]]
    tags, scores = tags[scores > -np.inf], scores[scores > -np.inf]
    order = np.lexsort((*tags.T, -scores))
    return Paths(tags[order], scores[order])


def span_chances(
    model: LinearChainCRF, tag_set: TagSet, emissions: Tensor, word_of_piece: Sequence[int]
) -> dict[Span, float]:
    """The probability of every span of one sentence, (P, T): that of the paths that have it.

    Over pieces, that among well-formed paths: X inside of words and nowhere else. Empty where no path has any.
    """
    paths = all_paths(model, emissions)
    chances, words = np.exp(paths.scores - paths.scores.max()), paths.tags
    if tag_set.scheme == "iobx":
        outer = [tag_set.index(tag) for tag in ("<pad>", "[CLS]", "X")]
        inner = np.diff(word_of_piece, prepend=-2) == 0
        well_formed = (paths.tags[:, inner] == tag_set.index("X")).all(axis=1)
        first = ~inner & (np.array(word_of_piece) >= 0)
        well_formed &= ~np.isin(paths.tags[:, first], outer).any(axis=1)
        chances, words = chances[well_formed], paths.tags[well_formed][:, first]
    found: dict[Span, float] = {}
    for tags, chance in zip(words.tolist(), (chances / chances.sum()).tolist(), strict=True):
        for span in tag_set.spans(tags):
            found[span] = found.get(span, 0.0) + chance
    return found


class Batch(NamedTuple):
    """A CRF and a padded batch for it; pads hold numbers that must not matter."""

    model: LinearChainCRF
    emissions: Tensor  # (B, P, T)
    mask: Tensor  # (B, P)

    @property
    def lengths(self) -> list[int]:
        return self.mask.sum(dim=1).tolist()

    def paths(self) -> list[Paths]:
        """All paths of each sentence."""
        return [all_paths(self.model, row[:length]) for row, length in zip(self.emissions, self.lengths, strict=True)]

    def gold(self, paths: list[Paths], pick: int = 0) -> Tensor:
        """A legal path of each sentence, pads -100."""
        tags = torch.full(self.mask.shape, -100)
        for row, found in zip(tags, paths, strict=True):
            path = found.tags[pick % len(found.tags)]
            row[: len(path)] = torch.from_numpy(path)
        return tags


def quarters(low: int, high: int) -> st.SearchStrategy[float]:
    """Multiples of 1/4 in [low, high]."""
    return st.integers(4 * low, 4 * high).map(lambda number: number / 4)


def filled(draw: st.DrawFn, values: st.SearchStrategy[float], *shape: int) -> Tensor:
    """A tensor of drawn numbers."""
    size = int(np.prod(shape))
    return torch.tensor(draw(st.lists(values, min_size=size, max_size=size)), dtype=torch.float32).reshape(shape)


def model_with(transitions: Tensor, start: Tensor, end: Tensor, forbidden: Forbidden | None = None) -> LinearChainCRF:
    """A CRF with these scores."""
    model = LinearChainCRF(len(start), forbidden)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), (transitions, start, end), strict=True):
            parameter.copy_(value)
    return model


@st.composite
def batches(draw: st.DrawFn, n_tags: tuple[int, ...] = (1, 2, 3, 4, 5, 6), spread: int = 3) -> Batch:
    """CRFs of up to 6 tags, half of them with rules, and 1 to 4 sentences of 1 to 6 pieces; with spread 0 all tie."""
    tags = draw(st.sampled_from(n_tags))
    values = quarters(-spread, spread) if draw(st.booleans()) else st.integers(-spread, spread).map(float)
    forbidden = None
    if draw(st.booleans()):
        size = tags * tags + 2 * tags
        flags = torch.tensor(draw(st.lists(st.sampled_from([False, False, True]), min_size=size, max_size=size)))
        forbidden = Forbidden(flags[: tags * tags].reshape(tags, tags), *flags[tags * tags :].reshape(2, tags))
    scores = filled(draw, values, tags, tags), filled(draw, values, tags), filled(draw, values, tags)
    try:
        model = model_with(*scores, forbidden)
    except ValueError:
        assume(False)
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    model.rules.cover(max(lengths))
    assume(all(model.rules.legal[min(length, len(model.rules.legal)) - 1] for length in lengths))
    width = max(lengths) + draw(st.integers(0, 2))
    emissions = filled(draw, values, len(lengths), width, tags)
    mask = torch.arange(width) < torch.tensor(lengths)[:, None]
    emissions[~mask] = draw(st.sampled_from([0.0, 1e9, float("nan")]))
    return Batch(model, emissions, mask)
