from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.tagging import TagSet
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.store import FeatureStore
from ner_head.head.crf import Forbidden, LinearChainCRF
from ner_head.head.model import build_head
from ner_head.head.params import HeadParams, LstmParams, WordParams
from ner_head.posterior import SpanPatterns, Temperatures, span_probabilities, tempered
from ner_head.predictions import features_of, predict_from_store
from ner_head.tagger import Tagger
from tests.head.oracle import all_paths

LABELS = ("LOC", "PER")
CPU = torch.device("cpu")


def crf_for(tag_set: TagSet) -> LinearChainCRF:
    torch.manual_seed(0)
    crf = LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf


def probabilities_by_enumeration(
    crf: LinearChainCRF, tag_set: TagSet, emissions: Tensor, word_of_piece: list[int]
) -> dict[Span, float]:
    """Of every span: the sum over the well-formed legal paths that have it, over that of all of them."""
    paths = all_paths(crf, emissions)
    cls, x = (tag_set.index(tag) if tag_set.scheme == "iobx" else -1 for tag in ("[CLS]", "X"))
    n_words = max(word_of_piece) + 1
    total, found = 0.0, dict[Span, float]()
    for tags, probability in zip(paths.tags.tolist(), np.exp(paths.scores - paths.scores.max()), strict=True):
        if tag_set.scheme == "iobx":
            inner = [a == b for a, b in zip(word_of_piece, [-2, *word_of_piece], strict=False)]
            if any((tag == x) != is_inner for tag, is_inner in zip(tags, inner, strict=True)) or cls in tags[1:]:
                continue
            words = tag_set.vote(tags, word_of_piece, n_words)
        else:
            words = tags
        total += probability
        for span in tag_set.spans(words):
            found[span] = found.get(span, 0.0) + probability
    return {span: weight / total for span, weight in found.items()}


@pytest.mark.parametrize(
    ("tag_set", "word_of_piece"),
    [
        (TagSet.iob(LABELS), [-1, 0, 0, 1, 2, 3, 3]),
        (TagSet.iobx(LABELS), [-1, 0, 0, 1, 2, 2]),
        (TagSet.iobx(LABELS), [-1, 0, 1, 1]),
    ],
)
def test_a_spans_probability_is_that_of_the_paths_that_have_it(tag_set: TagSet, word_of_piece: list[int]) -> None:
    crf, patterns, words = crf_for(tag_set), SpanPatterns(tag_set), np.array(word_of_piece, dtype=np.int32)
    n_words = max(word_of_piece) + 1
    emissions = torch.randn(1, len(words) if tag_set.scheme == "iobx" else n_words, len(tag_set))
    wanted = probabilities_by_enumeration(crf, tag_set, emissions[0], word_of_piece)
    spans = [Span(a, b, label) for a in range(n_words) for b in range(a + 1, n_words + 1) for label in LABELS]
    found = span_probabilities(
        crf,
        patterns.well_formed(emissions, [words]),
        torch.ones(emissions.shape[:2], dtype=torch.bool),
        [patterns.of(span, 0, words) for span in spans],
    )
    assert found == pytest.approx([wanted.get(span, 0.0) for span in spans], abs=1e-5)
    assert max(found) > 0.05


def test_a_temperature_divides_all_scores_and_changes_no_decision() -> None:
    tag_set = TagSet.iob(LABELS)
    crf = crf_for(tag_set)
    emissions, mask = 3 * torch.randn(2, 4, len(tag_set)), torch.ones(2, 4, dtype=torch.bool)
    warm = tempered(crf, 2.0).decode(emissions / 2.0, mask, n=5)
    cold = crf.decode(emissions, mask, n=5)
    for one, other in zip(warm, cold, strict=True):
        assert [path.tags for path in one] == [path.tags for path in other]
        assert [path.score for path in one] == pytest.approx([path.score / 2.0 for path in other], rel=1e-5)
        assert one[0].probability < other[0].probability
    paths = all_paths(crf, emissions[0])
    chance = math.exp(cold[0][0].score / 2.0) / np.exp(paths.scores / 2.0).sum()
    assert warm[0][0].probability == pytest.approx(chance, rel=1e-4)
    assert tempered(crf, 1.0) is crf


@pytest.fixture(scope="module", params=["iob", "iobx"])
def tagger(request: pytest.FixtureRequest, store: FeatureStore) -> Tagger:
    """A head with random weights, sharpened so that it finds something."""
    params = HeadParams(
        tags=request.param, lstm=LstmParams(hidden=16), projection=16, classifier=8, words=WordParams(width=8)
    )
    encoder, tag_set = store.manifest.encoder, params.tag_set(LABELS)
    torch.manual_seed(1)
    head = build_head(
        params, n_layers=encoder.n_layers, width=encoder.width, tag_set=tag_set, languages=["cs", "pl", "ru"]
    )
    with torch.no_grad():
        head.emissions.weight.mul_(8)
    return Tagger(head, tag_set, CPU)


def test_predicted_spans_carry_probabilities_only_when_asked(
    tagger: Tagger, documents: list[Document], store: FeatureStore
) -> None:
    plain = predict_from_store(tagger, documents, store, ["cs", "pl", "ru"])
    asked = predict_from_store(tagger, documents, store, ["cs", "pl", "ru"], probabilities=True, n_best=3)
    assert [p.document.spans for p in plain] == [p.document.spans for p in asked]  # equal whatever their probability
    assert sum(len(p.document.spans) for p in plain) > 0
    assert all(span.probability is None for p in plain for span in p.document.spans)
    assert all(0 <= span.probability <= 1 for p in asked for span in p.document.spans)
    assert all(not each for p in plain for each in p.readings)
    for prediction in asked:
        for reading, *others in prediction.readings:
            assert set(reading.spans) <= set(prediction.document.spans) or tagger.tag_set.scheme == "iobx"
            assert sum(r.probability for r in (reading, *others)) <= 1 + 1e-6
            assert len({r.spans for r in (reading, *others)}) == 1 + len(others)


def test_spans_below_a_probability_are_left_out(tagger: Tagger, documents: list[Document], store: FeatureStore) -> None:
    found = predict_from_store(tagger, documents, store, ["cs", "pl", "ru"], probabilities=True)
    chances = sorted(span.probability for p in found for span in p.document.spans)
    limit = chances[len(chances) // 2]
    kept = [span.probability for p in found for span in p.at_least(limit).spans]
    assert sorted(kept) == [chance for chance in chances if chance >= limit]
    assert [p.at_least(0.0) for p in found] == [p.document for p in found]


def test_temperatures_move_probabilities_not_spans(
    tagger: Tagger, documents: list[Document], store: FeatureStore
) -> None:
    features = [each for document in documents for each in features_of(store, document)]
    ids = [each for document in documents for each in document_word_ids(document)]
    warm = Tagger(tagger.head, tagger.tag_set, CPU, Temperatures(spans=3.0, languages=2.0))
    one, other = (each.tag(features, ids, probabilities=True) for each in (tagger, warm))
    assert [t.spans for t in one] == [t.spans for t in other]
    chances = [[span.probability for t in tagged for span in t.spans] for tagged in (one, other)]
    assert sum(chances[1]) < sum(chances[0])
    for a, b in zip(one, other, strict=True):
        assert int(a.languages.argmax()) == int(b.languages.argmax())
        np.testing.assert_allclose(np.exp(b.languages).sum(), 1, rtol=1e-5)
        scaled = a.languages / 2.0
        np.testing.assert_allclose(b.languages, scaled - np.log(np.exp(scaled).sum()), rtol=1e-4, atol=1e-5)
