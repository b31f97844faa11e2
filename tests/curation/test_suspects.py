"""Suspects from beliefs, and the exact probability of no span."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment
from ner_head.corpus.tagging import TagSet
from ner_head.curation.beliefs import SentenceBeliefs, outside
from ner_head.curation.review import to_review
from ner_head.curation.suspects import find_suspects
from ner_head.curation.suspects_page import page
from ner_head.head.crf import Forbidden, LinearChainCRF
from ner_head.inference.span_decoder import SpanDecoder, SpanQuery
from tests.head.crf.oracle import all_paths

TEXT = "Jana Nová a Petr žijí v Praze."
DOCUMENT = Document("1", TEXT, "cs", "t", segment(TEXT, "cs"), (Span(0, 4, "PER"), Span(24, 29, "ORG")))


def test_each_kind_of_contradiction_has_its_margin() -> None:
    beliefs = SentenceBeliefs(
        0,
        0,
        (Span(0, 1, "PER", 0.1), Span(6, 7, "ORG", 0.05), Span(4, 5, "PRO", 0.2)),
        (Span(0, 2, "PER", 0.85), Span(6, 7, "LOC", 0.9), Span(3, 4, "PER", 0.97)),
        {(0, 1): 0.02, (6, 7): 0.03, (4, 5): 0.7, (0, 2): 0.01, (3, 4): 0.02},
    )
    found = find_suspects([beliefs], [DOCUMENT])
    assert [(s.kind, round(s.margin, 2)) for s in found] == [
        ("missing", 0.95),
        ("wrong type", 0.85),
        ("wrong boundary", 0.75),
        ("spurious", 0.5),
    ]
    assert found[0].found == Span(12, 16, "PER")
    assert (found[2].gold, found[2].found, found[2].place) == (Span(0, 4, "PER"), Span(0, 9, "PER"), (0, 9))
    assert find_suspects([beliefs], [DOCUMENT], least=0.9) == found[:1]


def test_an_annotation_that_the_heads_agree_with_is_no_suspect() -> None:
    beliefs = SentenceBeliefs(0, 0, (Span(0, 1, "PER", 0.6),), (Span(0, 2, "PER", 0.4),), {(0, 1): 0.0, (0, 2): 0.0})
    assert find_suspects([beliefs], [DOCUMENT]) == []


@pytest.mark.parametrize("scheme", ["iob", "iobx"])
def test_the_probability_of_no_span_is_that_of_all_paths_without_one(scheme: str) -> None:
    tag_set = TagSet.iob(["PER"]) if scheme == "iob" else TagSet.iobx(["PER"])
    words = np.array([-1, 0, 1, 1, 2], dtype=np.int32)
    n_steps = 3 if scheme == "iob" else len(words)
    torch.manual_seed(1)
    crf = LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))
    emissions = torch.randn(1, n_steps, len(tag_set))
    mask = torch.ones(1, n_steps, dtype=torch.bool)
    decoder = SpanDecoder(crf, tag_set)
    base = decoder.query([[]], emissions, mask, [words])
    query = SpanQuery(base.emissions, mask, [[outside(tag_set, Span(1, 3, "PER"), 0, words)]])
    paths = all_paths(crf, base.emissions[0])
    weights = np.exp(paths.scores - paths.scores.max())
    columns = [1, 2] if scheme == "iob" else [2, 4]
    clear = (paths.tags[:, columns] == tag_set.index("O")).all(axis=1)
    assert decoder.probabilities(query)[0] == pytest.approx(weights[clear].sum() / weights.sum(), abs=1e-5)


def test_a_review_has_the_suggestion_in_place_of_the_annotation_and_the_page_escapes_text() -> None:
    beliefs = SentenceBeliefs(0, 0, (Span(6, 7, "ORG", 0.05),), (Span(6, 7, "LOC", 0.9),), {(6, 7): 0.03})
    suspects = find_suspects([beliefs], [DOCUMENT])
    (reviewed,) = to_review(suspects, [DOCUMENT])
    assert reviewed.spans == (Span(0, 4, "PER"), Span(24, 29, "LOC"))
    assert reviewed.extra["suspects"][0]["gold"]["label"] == "ORG"
    html = "".join(page("<b>", "1 & 2", [DOCUMENT], suspects))
    assert "<title>&lt;b&gt;</title>" in html
    assert '<mark class="wrong-type">Praze<small>ORG<i>0.05</i></small></mark>' in html
    assert '<mark class="wrong-type">Praze<small>LOC<i>0.90</i></small></mark>' in html
    assert "No annotation is less probable" in "".join(page("t", "s", [DOCUMENT], []))
