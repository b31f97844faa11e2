"""The numpy decoder against `SpanDecoder` on random emissions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ner_head.corpus.results import Temperatures
from ner_head.corpus.tagging import TagSet
from ner_head.head.crf import Forbidden, LinearChainCRF
from ner_head.inference.span_decoder import SpanDecoder
from ner_head.inference.tagger import step_pieces
from ner_head.onnx.decoder import Decoder, PathScores, best_paths, log_sum


def sentence(rng: np.random.Generator, n_words: int) -> np.ndarray:
    """The word of each piece, 1 to 3 pieces a word."""
    return np.repeat(np.arange(-1, n_words), [1, *rng.integers(1, 4, n_words)]).astype(np.int32)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("rules", [True, False], ids=["crf", "softmax"])
@pytest.mark.parametrize("make", [TagSet.iob, TagSet.iobx], ids=["iob", "iobx"])
def test_spans_and_probabilities_are_those_of_torch(make, rules: bool, temperature: float) -> None:
    rng = np.random.default_rng(0)
    tag_set = make(["LOC", "PER"])
    words = [sentence(rng, n_words) for n_words in [1, 2, 3, 3, 5, 8, 13, 21] * 4]
    lengths = np.array([len(step_pieces(row, tag_set.scheme)) for row in words])
    emissions = (3 * rng.standard_normal((len(words), int(lengths.max()), len(tag_set)))).astype(np.float32)
    forbidden = Forbidden(*map(torch.from_numpy, tag_set.forbidden()))
    crf = LinearChainCRF(len(tag_set), forbidden if rules else None).requires_grad_(False)
    for score in crf.parameters():
        score.copy_(torch.from_numpy(rng.standard_normal(score.shape)) if rules else torch.zeros(score.shape))
    scores = [score.numpy() for score in (crf.transitions, crf.start, crf.end)]
    tables = [np.where(rule, -np.inf, part) for rule, part in zip(crf.rules.arrays, scores, strict=True)]

    found = Decoder(tag_set, PathScores(*tables), Temperatures(spans=temperature)).spans(emissions, lengths, words)

    torch_decoder, mask = SpanDecoder(crf, tag_set, temperature), np.arange(emissions.shape[1]) < lengths[:, None]
    given = torch.from_numpy(emissions)
    paths = torch_decoder.paths(given, torch.from_numpy(mask))
    spans = [torch_decoder.spans(best[0].tags, row) for best, row in zip(paths, words, strict=True)]
    chances = torch_decoder.probabilities(torch_decoder.query(spans, given, torch.from_numpy(mask), words))
    assert found == spans
    assert sum(map(len, spans)) > 20
    flat = [span.probability for row in found for span in row]
    np.testing.assert_allclose(flat, chances, atol=1e-5)
    assert max(chances) > 0.5


def test_of_equal_paths_the_one_with_the_lower_last_tags_is_taken() -> None:
    zeros = PathScores(np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    assert best_paths(np.zeros((2, 4, 3)), np.array([4, 2]), zeros) == [[0, 0, 0, 0], [0, 0]]


def test_a_sum_of_nothing_has_no_logarithm() -> None:
    assert log_sum(np.full((2, 3), -np.inf), 1).tolist() == [-np.inf, -np.inf]
    assert log_sum(np.log([[1.0, 3.0]]), 1)[0] == pytest.approx(np.log(4))
