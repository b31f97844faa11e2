from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch

from ner_head.corpus.tagging import TagSet
from ner_head.head.committee import Committee, together
from ner_head.head.model import Head, Steps, build_head
from ner_head.head.params import HeadParams, LstmParams, WordParams
from ner_head.head.words import WordFeatures

LABELS, LANGUAGES = ["LOC"], ["cs", "pl"]


def heads(n: int, **changes: object) -> list[Head]:
    params = HeadParams(lstm=LstmParams(hidden=8), projection=9, classifier=7).model_copy(update=changes)
    torch.manual_seed(0)
    found = []
    for _ in range(n):
        head = build_head(params, n_layers=3, width=10, tag_set=TagSet.iob(LABELS), languages=LANGUAGES).eval()
        torch.nn.init.normal_(head.crf.transitions)
        torch.nn.init.normal_(head.emissions.weight)
        found.append(head)
    return found


def inputs(n_pieces: int) -> tuple[torch.Tensor, torch.Tensor, Steps]:
    mask = torch.ones(1, n_pieces, dtype=torch.bool)
    hidden = torch.randn(1, n_pieces, 3, 10, generator=torch.Generator().manual_seed(1))
    return hidden, mask, Steps(torch.arange(n_pieces)[None], mask)


def test_the_score_of_every_path_is_the_mean_of_the_heads_scores() -> None:
    members = heads(3)
    committee = Committee(members)
    hidden, mask, steps = inputs(3)

    def scores(head: Head | Committee) -> torch.Tensor:
        emissions, crf = head(hidden, mask, steps).emissions[0], head.crf
        paths = [
            sum(
                (emissions[i, tag] + (crf.transitions[path[i - 1], tag] if i else crf.start[tag]))
                for i, tag in enumerate(path)
            )
            + crf.end[path[-1]]
            for path in product(range(3), repeat=3)
        ]
        return torch.stack(paths).detach()

    expected = torch.stack([scores(head) for head in members]).mean(0)
    torch.testing.assert_close(scores(committee), expected)
    legal = torch.tensor(
        [path[0] != 2 and all(b != 2 or a in (1, 2) for a, b in pairwise(path)) for path in product(range(3), repeat=3)]
    )  # tags are O, B-LOC, I-LOC
    (best,) = committee.crf.decode(committee(hidden, mask, steps).emissions.detach(), mask)[0]
    among = torch.where(legal, expected, -torch.inf)
    assert best.tags == list(list(product(range(3), repeat=3))[int(among.argmax())])
    assert best.probability == pytest.approx(float(among.softmax(0).max()), rel=1e-4)


def test_a_committee_of_equal_heads_is_that_head() -> None:
    (head,) = heads(1)
    committee = Committee([head, head])
    hidden, mask, steps = inputs(5)
    alone, joined = head(hidden, mask, steps), committee(hidden, mask, steps)
    torch.testing.assert_close(joined.emissions, alone.emissions)
    torch.testing.assert_close(joined.language_logits, alone.language_logits)
    torch.testing.assert_close(committee.crf.transitions, head.crf.transitions)
    torch.testing.assert_close(committee.layer_weights(), head.layer_weights())
    assert committee.layers == head.layers
    assert committee.pieces == head.pieces


def test_language_logits_are_the_mean_of_the_heads_logits() -> None:
    members = heads(2)
    hidden, mask, steps = inputs(4)
    logits = [head(hidden, mask, steps).language_logits for head in members]
    torch.testing.assert_close(Committee(members)(hidden, mask, steps).language_logits, (logits[0] + logits[1]) / 2)
    assert Committee(members).predicts_languages
    silent = Committee(heads(2, classifier=0))
    assert not silent.predicts_languages
    assert silent(hidden, mask, steps).language_logits is None


def test_a_padded_sentence_scores_the_same_alone() -> None:
    committee = Committee(heads(2))
    hidden = torch.randn(2, 6, 3, 10)
    mask = torch.arange(6) < torch.tensor([[4], [6]])
    together_ = committee(hidden, mask, Steps(torch.arange(6).expand(2, 6), mask))
    one = Steps(torch.arange(4)[None], mask[:1, :4])
    alone = committee(hidden[:1, :4], one.mask, one)
    torch.testing.assert_close(alone.emissions[0], together_.emissions[0, :4], atol=1e-5, rtol=1e-5)


def test_words_reach_every_head() -> None:
    members = heads(2, words=WordParams(width=4, buckets=50))
    committee = Committee(members)
    assert committee.reads_words
    assert not Committee(heads(2)).reads_words
    hidden, mask, steps = inputs(3)
    words = WordFeatures(torch.tensor([[[3, 8], [9, 0]]]), torch.tensor([[-1, 0, 1]]))
    expected = (members[0](hidden, mask, steps, words).emissions + members[1](hidden, mask, steps, words).emissions) / 2
    torch.testing.assert_close(committee(hidden, mask, steps, words).emissions, expected)


def test_one_head_stays_a_head_and_none_is_an_error() -> None:
    members = heads(2)
    assert together(members[:1]) is members[0]
    assert isinstance(together(members), Committee)
    with pytest.raises(ValueError, match="at least 1 head, got 0"):
        Committee([])
