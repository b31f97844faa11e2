"""The probability of a span, against the sum over all paths that have it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import TagSet
from ner_head.head.crf import Forbidden, LinearChainCRF, SpanPattern
from tests.head.crf.oracle import Batch, all_paths, batches, engine


def matches(span: SpanPattern, tags: np.ndarray) -> np.ndarray:
    """Which paths, (N, P), have the span."""
    found = np.ones(len(tags), dtype=bool)
    for offset, allowed in enumerate(span.allowed.numpy()):
        found &= allowed[tags[:, span.start + offset]]
    stop = span.start + len(span.allowed)
    return found & ~span.extends.numpy()[tags[:, stop]] if stop < tags.shape[1] else found


@st.composite
def patterns(draw: st.DrawFn, batch: Batch) -> list[SpanPattern]:
    """Any run of pieces in any sentence, with any tags."""
    result, n_tags = [], batch.model.n_tags
    for _ in range(draw(st.integers(1, 4))):
        sentence = draw(st.integers(0, len(batch.lengths) - 1))
        start = draw(st.integers(0, batch.lengths[sentence] - 1))
        stop = draw(st.integers(start + 1, batch.lengths[sentence]))
        flags = torch.tensor(
            draw(st.lists(st.booleans(), min_size=(stop - start + 1) * n_tags, max_size=(stop - start + 1) * n_tags))
        )
        rows = flags.reshape(-1, n_tags)
        result.append(SpanPattern(sentence, start, rows[:-1], rows[-1]))
    return result


@pytest.mark.parametrize("name", ["compiled", "torch"])
def test_a_pattern_has_the_probability_of_the_paths_that_have_it(name: str) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(batches(n_tags=(6,)), st.data())
    def run(batch: Batch, data: st.DataObject) -> None:
        spans = data.draw(patterns(batch))
        paths = batch.paths()
        with engine(name):
            found = batch.model.span_probability(batch.emissions, batch.mask, spans)
        for span, probability in zip(spans, found.tolist(), strict=True):
            wanted = paths[span.sentence].probability(matches(span, paths[span.sentence].tags))
            assert math.isclose(probability, wanted, rel_tol=1e-4, abs_tol=1e-5)

    run()


def only(tag_set: TagSet, *tags: str) -> Tensor:
    """A set of tags, (T,) bool."""
    return torch.tensor([tag in tags for tag in tag_set.tags])


@pytest.mark.parametrize("name", ["interpreted", "torch"])
def test_a_word_span_of_iob_is_a_begin_insides_and_no_more(name: str) -> None:
    tag_set = TagSet.iob(["PER", "LOC"])
    torch.manual_seed(0)
    model = LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))
    emissions, mask = torch.randn(1, 5, 5), torch.ones(1, 5, dtype=torch.bool)
    inside = only(tag_set, "I-PER")
    spans = [(start, stop) for start in range(5) for stop in range(start + 1, 6)]
    queries = [
        SpanPattern(0, start, torch.stack([only(tag_set, "B-PER"), *[inside] * (stop - start - 1)]), inside)
        for start, stop in spans
    ]
    with engine(name):
        found = model.span_probability(emissions, mask, queries).tolist()
    paths = all_paths(model, emissions[0])
    for (start, stop), probability in zip(spans, found, strict=True):
        has = [Span(start, stop, "PER") in tag_set.spans(path.tolist()) for path in paths.tags]
        assert math.isclose(probability, paths.probability(np.array(has)), rel_tol=1e-4, abs_tol=1e-6)


@pytest.mark.parametrize("name", ["interpreted", "torch"])
def test_a_span_over_pieces_adds_the_ways_that_exclude_each_other(name: str) -> None:
    # [CLS], a word of two pieces, a word of one, a word of two: PER over the last two words, X inside words.
    # After X every I-x is legal, so PER can begin with B-PER, or with I-PER behind a word that is not PER.
    tag_set = TagSet.iobx(["PER", "LOC"])
    words, word_of_piece = 3, [-1, 0, 0, 1, 2, 2]
    torch.manual_seed(0)
    model = LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))
    emissions, mask = torch.randn(1, 6, 8), torch.ones(1, 6, dtype=torch.bool)
    emissions[0, :, 2] = torch.tensor([-torch.inf, -torch.inf, 0, -torch.inf, -torch.inf, 0])
    emissions[0, [2, 5], 3:] = -torch.inf
    x, per = only(tag_set, "X"), only(tag_set, "B-PER", "I-PER")
    tail = [only(tag_set, "I-PER"), x]
    begun = SpanPattern(0, 3, torch.stack([only(tag_set, "B-PER"), *tail]), only(tag_set, "I-PER"))
    joined = SpanPattern(0, 1, torch.stack([~per, x, only(tag_set, "I-PER"), *tail]), only(tag_set, "I-PER"))
    with engine(name):
        found = model.span_probability(emissions, mask, [begun, joined]).sum()
    paths = all_paths(model, emissions[0])
    has = [Span(1, 3, "PER") in tag_set.spans(tag_set.vote(path.tolist(), word_of_piece, words)) for path in paths.tags]
    assert float(found) > 0.001
    assert math.isclose(float(found), paths.probability(np.array(has)), rel_tol=1e-4)


def test_no_patterns_have_no_probabilities() -> None:
    assert LinearChainCRF(6).span_probability(torch.zeros(1, 1, 6), torch.ones(1, 1, dtype=torch.bool), []).shape == (
        0,
    )


@pytest.mark.parametrize(
    ("sentence", "start", "size", "n_tags", "message"),
    [
        (0, 2, 2, 6, r"span 0 at \[2, 4\) of sentence 0 is empty or outside"),
        (1, 0, 1, 6, "of sentence 1 is empty or outside"),
        (0, -1, 1, 6, r"\[-1, 0\) of sentence 0 is empty or outside"),
        (0, 0, 0, 6, r"\[0, 0\) of sentence 0 is empty or outside"),
        (0, 0, 1, 5, r"span 0 must have \(S, 6\) allowed and \(6,\) extending tags"),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(
    sentence: int, start: int, size: int, n_tags: int, message: str
) -> None:
    span = SpanPattern(sentence, start, torch.ones(size, n_tags, dtype=torch.bool), torch.zeros(6, dtype=torch.bool))
    with pytest.raises(ValueError, match=message):
        LinearChainCRF(6).span_probability(torch.zeros(1, 3, 6), torch.ones(1, 3, dtype=torch.bool), [span])
