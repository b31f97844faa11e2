from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import TagSet
from tests.corpus.strategies import LABELS, word_spans

FIVE = ("PER", "LOC", "ORG", "PRO", "EVT")
TAG_SETS = (TagSet.iob(LABELS), TagSet.iobx(LABELS))


def indices(tag_set: TagSet, tags: str) -> list[int]:
    return [tag_set.index(tag) for tag in tags.split()]


def test_five_labels_make_the_fourteen_tags_of_the_paper() -> None:
    tags = TagSet.iobx(FIVE)
    assert len(tags) == 14
    assert tags.tags[:6] == ("<pad>", "[CLS]", "X", "O", "B-PER", "I-PER")


def test_tags_over_words_have_no_special_ones() -> None:
    assert TagSet.iob(FIVE).tags[0] == "O"
    assert len(TagSet.iob(FIVE)) == 11


@given(st.data(), st.sampled_from(TAG_SETS), st.integers(0, 12))
def test_spans_come_back_from_their_tags(data: st.DataObject, tag_set: TagSet, n_words: int) -> None:
    spans = data.draw(word_spans(n_words))
    assert tag_set.spans(tag_set.encode(n_words, spans)) == spans


@given(st.data(), st.sampled_from(TAG_SETS))
def test_legal_tags_come_back_from_their_spans(data: st.DataObject, tag_set: TagSet) -> None:
    legal = [tag for tag in tag_set.tags if tag[0] in "OBI"]
    tags: list[str] = []
    for _ in range(data.draw(st.integers(0, 10))):
        before = tags[-1] if tags else "O"
        tags.append(data.draw(st.sampled_from([tag for tag in legal if tag_set.follows(before, tag)])))
    encoded = [tag_set.index(tag) for tag in tags]
    assert tag_set.encode(len(tags), tag_set.spans(encoded)) == encoded


def test_an_inside_tag_that_continues_nothing_opens_a_span() -> None:
    tags = TagSet.iob(LABELS)
    assert tags.spans(indices(tags, "I-PER I-PER I-LOC O I-LOC")) == [
        Span(0, 2, "PER"),
        Span(2, 3, "LOC"),
        Span(4, 5, "LOC"),
    ]


def test_a_label_may_hold_a_hyphen() -> None:
    tags = TagSet.iob(["EVT-2019"])
    assert tags.spans(indices(tags, "B-EVT-2019 I-EVT-2019")) == [Span(0, 2, "EVT-2019")]


@pytest.mark.parametrize("tag_set", TAG_SETS, ids=lambda tags: tags.scheme)
def test_forbidden_says_of_every_pair_what_follows_says(tag_set: TagSet) -> None:
    pairs, first, last = tag_set.forbidden()
    for (i, before), (j, after) in product(enumerate(tag_set.tags), repeat=2):
        assert pairs[i, j] == (not tag_set.follows(before, after))
    assert not np.all(first)
    assert not np.all(last)


@given(st.data(), st.integers(1, 6))
def test_what_encoding_writes_is_never_forbidden(data: st.DataObject, n_words: int) -> None:
    tag_set = TagSet.iobx(LABELS)
    word_of_piece = [-1, *(word for word in range(n_words) for _ in range(data.draw(st.integers(1, 3))))]
    words = tag_set.encode(n_words, data.draw(word_spans(n_words)))
    pieces = tag_set.encode_pieces(words, word_of_piece)
    pairs, first, last = tag_set.forbidden()
    assert not first[pieces[0]]
    assert not last[pieces[-1]]
    assert not any(pairs[before, after] for before, after in pairwise(pieces))
    assert tag_set.vote(pieces, word_of_piece, n_words) == words


def test_an_entity_goes_on_behind_the_pieces_of_its_first_word() -> None:
    tags = TagSet.iobx(LABELS)
    words = indices(tags, "B-PER I-PER O")
    pieces = tags.encode_pieces(words, [-1, 0, 0, 1, 2, 2])
    assert pieces == indices(tags, "[CLS] B-PER X I-PER O X")


def test_vote_takes_the_first_of_equals_and_outside_where_all_are_left_out() -> None:
    tags = TagSet.iobx(LABELS)
    pieces = indices(tags, "[CLS] B-LOC O O B-LOC X X")
    assert tags.vote(pieces, [-1, 0, 0, 1, 1, 2, 2], 4) == indices(tags, "B-LOC O O O")
