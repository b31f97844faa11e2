from __future__ import annotations

import copy
import math
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.results import Temperatures
from ner_head.corpus.tagging import TagSet
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.store.store import FeatureStore
from ner_head.head.crf import Forbidden, LinearChainCRF, numba_engine
from ner_head.head.crf.nbest import search_tables
from ner_head.head.model import HeadOutput, Steps, build_head
from ner_head.head.params import HeadParams, LstmParams, WordParams
from ner_head.inference.predictions import features_of, predict_from_store
from ner_head.inference.span_decoder import SpanDecoder
from ner_head.inference.span_patterns import SpanPatterns
from ner_head.inference.tagger import OutputBatch, Tagger
from ner_head.prediction.choice import Choice
from tests.head.crf.oracle import all_paths, filled, model_with, quarters, span_chances

LABELS = ("LOC", "PER")
CPU = torch.device("cpu")


def crf_for(tag_set: TagSet) -> LinearChainCRF:
    torch.manual_seed(0)
    crf = LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf


@st.composite
def sentences(draw: st.DrawFn, scheme: str, rules: str) -> tuple[TagSet, LinearChainCRF, list[int], Tensor]:
    """A tag set, a CRF with its rules, none, or any, and a sentence of up to 5 steps: its words and emissions."""
    labels = ("PER",) if rules == "any" else draw(st.sampled_from([("PER",), LABELS]))
    tag_set = TagSet.iobx(labels) if scheme == "iobx" else TagSet.iob(labels)
    n_tags, n_words = len(tag_set), draw(st.integers(1, 4))
    sizes = draw(st.lists(st.integers(1, 3), min_size=n_words, max_size=n_words).filter(lambda sizes: sum(sizes) < 5))
    word_of_piece = [-1, *(word for word, size in enumerate(sizes) for _ in range(size))]
    forbidden = Forbidden(*map(torch.from_numpy, tag_set.forbidden()))
    if rules == "any":
        flags = draw(st.lists(st.booleans(), min_size=n_tags * n_tags, max_size=n_tags * n_tags))
        forbidden = Forbidden(torch.tensor(flags).view(n_tags, n_tags), *torch.zeros(2, n_tags))
    scores = (filled(draw, quarters(-3, 3), *shape) for shape in ((n_tags, n_tags), (n_tags,), (n_tags,)))
    try:
        crf = model_with(*scores, None if rules == "none" else forbidden)
    except ValueError:
        assume(False)
    n_steps = len(word_of_piece) if scheme == "iobx" else n_words
    return tag_set, crf, word_of_piece, filled(draw, quarters(-3, 3), n_steps, n_tags)


@pytest.mark.parametrize("rules", ["tag set", "none", "any"])
@pytest.mark.parametrize("scheme", ["iob", "iobx"])
def test_a_spans_probability_is_that_of_the_paths_that_have_it(scheme: str, rules: str) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(sentences(scheme, rules))
    def run(drawn: tuple[TagSet, LinearChainCRF, list[int], Tensor]) -> None:
        tag_set, crf, word_of_piece, emissions = drawn
        words, n_words = np.array(word_of_piece, dtype=np.int32), max(word_of_piece) + 1
        try:
            wanted = span_chances(crf, tag_set, emissions, word_of_piece)
        except ValueError:  # no path of this length
            assume(False)
        assume(wanted)
        decoder = SpanDecoder(crf, tag_set)
        spans = [
            Span(a, b, label) for a in range(n_words) for b in range(a + 1, n_words + 1) for label in tag_set.labels
        ]
        mask = torch.ones(1, len(emissions), dtype=torch.bool)
        found = decoder.probabilities(decoder.query([spans], emissions[None], mask, [words]))
        assert found == pytest.approx([wanted.get(span, 0.0) for span in spans], abs=2e-5)

    run()


@pytest.mark.parametrize("scheme", ["iob", "iobx"])
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_a_span_is_at_least_as_probable_as_a_path_that_has_it(scheme: str, decoder: str, store: FeatureStore) -> None:
    params = HeadParams(tags=scheme, decoder=decoder, lstm=LstmParams(hidden=4), projection=4, classifier=0)
    tag_set, encoder = params.tag_set(LABELS), store.manifest.encoder
    head = build_head(params, n_layers=encoder.n_layers, width=encoder.width, tag_set=tag_set, languages=[])
    tagger, words = Tagger(head, tag_set, CPU), np.array([-1, 0, 0, 1, 2, 2], dtype=np.int32)
    tags = ["[CLS]", "O", "X", "I-PER", "I-PER", "X"] if scheme == "iobx" else ["O", "I-PER", "I-PER"]
    if decoder == "crf":
        tags[tags.index("I-PER")] = "B-PER"
    emissions = torch.zeros(1, len(tags), len(tag_set))
    emissions[0, range(len(tags)), [tag_set.index(tag) for tag in tags]] = 12.0
    steps = Steps(torch.arange(len(tags))[None], torch.ones(1, len(tags), dtype=torch.bool))
    batch = OutputBatch([0], [words], steps, HeadOutput(emissions, None))
    (best,) = head.crf.decode(emissions, steps.mask)[0]
    assert best.probability > 0.99
    spans = tagger.decoder.spans(best.tags, words)
    assert spans == [Span(1, 3, "PER")]
    (probability,) = tagger.decoder.probabilities(tagger.query([spans], batch))
    assert probability >= best.probability - 1e-6


def test_patterns_that_no_path_has_are_not_made() -> None:
    tag_set, words = TagSet.iob(LABELS), np.array([-1, 0, 1, 2], dtype=np.int32)
    assert len(SpanPatterns(tag_set, crf_for(tag_set).rules).of(Span(1, 2, "PER"), 0, words)) == 1
    assert len(SpanPatterns(tag_set).of(Span(1, 2, "PER"), 0, words)) == 2


@pytest.mark.parametrize("sizes", [[1, 3, 2, 1], [4], [1]])
def test_well_formed_emissions_take_no_longer_way(sizes: list[int]) -> None:
    """-inf is no reason to leave the quick kernel: the tags that have it are on no path."""
    tag_set = TagSet.iobx(LABELS)
    crf = crf_for(tag_set)
    words = np.array([-1, *(word for word, size in enumerate(sizes) for _ in range(size))], dtype=np.int32)
    emissions = SpanPatterns(tag_set, crf.rules).well_formed(torch.randn(1, len(words), len(tag_set)), [words])
    with patch.object(numba_engine, "_in_log_space", side_effect=AssertionError("the slow way")):
        found = crf.marginals(emissions, torch.ones(1, len(words), dtype=torch.bool))
    assert torch.equal(found[0].isfinite().all(dim=1), torch.ones(len(words), dtype=torch.bool))
    assert bool((found[emissions == -torch.inf] == 0).all())


def test_a_temperature_divides_all_scores_and_changes_no_decision() -> None:
    tag_set = TagSet.iob(LABELS)
    crf = crf_for(tag_set)
    emissions, mask = 3 * torch.randn(2, 4, len(tag_set)), torch.ones(2, 4, dtype=torch.bool)
    decoder = SpanDecoder(crf, tag_set)
    warm, cold = decoder.at(2.0).paths(emissions, mask, n=5), decoder.paths(emissions, mask, n=5)
    for one, other in zip(warm, cold, strict=True):
        assert [path.tags for path in one] == [path.tags for path in other]
        assert [path.score for path in one] == pytest.approx([path.score / 2.0 for path in other], rel=1e-5)
        assert one[0].probability < other[0].probability
    paths = all_paths(crf, emissions[0])
    chance = math.exp(cold[0][0].score / 2.0) / np.exp(paths.scores / 2.0).sum()
    assert warm[0][0].probability == pytest.approx(chance, rel=1e-4)
    assert cold == crf.decode(emissions, mask, n=5)


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
    choice = Choice(limit)
    kept = [span.probability for p in found for span in choice(p.document).spans]
    assert sorted(kept) == [chance for chance in chances if chance >= limit]
    assert [Choice(0.0)(p.document) for p in found] == [p.document for p in found]


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


@pytest.mark.parametrize("shift", [{"LOC": 0.7, "PER": 0.7}, {"ORG": 0.7}])
def test_the_shift_of_a_label_moves_the_log_odds_of_its_spans_alone(
    tagger: Tagger, documents: list[Document], store: FeatureStore, shift: dict[str, float]
) -> None:
    features = [each for document in documents for each in features_of(store, document)]
    ids = [each for document in documents for each in document_word_ids(document)]
    shifted = Tagger(tagger.head, tagger.tag_set, CPU, Temperatures(labels=shift))
    one, other = (each.tag(features, ids, probabilities=True) for each in (tagger, shifted))
    pairs = [pair for a, b in zip(one, other, strict=True) for pair in zip(a.spans, b.spans, strict=True)]
    assert pairs
    for before, after in pairs:
        assert (before.start, before.end, before.label) == (after.start, after.end, after.label)
        p, q = before.probability, after.probability
        assert p is not None
        assert q is not None
        if before.label in shift:
            assert q * (1 - p) == pytest.approx(np.exp(0.7) * p * (1 - q), abs=1e-9)
        else:
            assert q == p


def test_decoding_tables_are_made_once_and_follow_the_scores(
    tagger: Tagger, documents: list[Document], store: FeatureStore
) -> None:
    features, ids = features_of(store, documents[0]), document_word_ids(documents[0])
    head, warm = copy.deepcopy(tagger.head), Temperatures(spans=3.0)
    tempered_tagger = Tagger(head, tagger.tag_set, CPU, warm)
    with patch("ner_head.head.crf.numba_engine.search_tables", wraps=search_tables) as made:
        first, second = (tempered_tagger.tag(features, ids) for _ in range(2))
    assert made.call_count == 1
    with torch.no_grad():
        head.crf.transitions.add_(torch.randn(len(tagger.tag_set), len(tagger.tag_set)))
    after, fresh = (each.tag(features, ids) for each in (tempered_tagger, Tagger(head, tagger.tag_set, CPU, warm)))
    assert [t.hypotheses for t in first] == [t.hypotheses for t in second]
    assert [t.hypotheses for t in after] == [t.hypotheses for t in fresh]
    assert [t.hypotheses for t in after] != [t.hypotheses for t in first]
