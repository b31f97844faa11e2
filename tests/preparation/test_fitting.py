from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import MAX_WORDS, segment
from ner_head.formats.problems import CHANGED, LOST
from ner_head.preparation.fitting import fit
from tests.corpus.strategies import documents


def test_white_space_at_the_ends_of_a_span_is_trimmed_and_listed() -> None:
    fitted = fit(Document("1", "Jana  v Brně.", spans=(Span(0, 6, "PER"), Span(7, 12, "LOC"))), MAX_WORDS)
    assert fitted.document.spans == (Span(0, 4, "PER"), Span(8, 12, "LOC"))
    assert fitted.outcomes == ("white space trimmed",) * 2
    assert [(p.kind, p.form, p.detail) for p in fitted.problems] == [
        ("white space trimmed", "Jana  ", "PER [0, 6)"),
        ("white space trimmed", " Brně", "LOC [7, 12)"),
    ]


def test_labels_are_cleaned_and_listed() -> None:
    fitted = fit(Document("1", "Jana", spans=(Span(0, 4, " PER\t"),)), MAX_WORDS)
    assert fitted.document.spans == (Span(0, 4, "PER"),)
    assert fitted.outcomes == ("label cleaned",)


def test_a_label_that_cannot_be_one_is_refused_with_its_document() -> None:
    with pytest.raises(DataError, match=r"^t/cs/1: the label 'A\\x07' has control characters$"):
        fit(Document("1", "Jana", "cs", "t", spans=(Span(0, 4, "A\x07"),)), MAX_WORDS)


def test_a_mention_that_changes_and_is_lost_counts_as_lost() -> None:
    fitted = fit(Document("1", "Ano. Ne. ", spans=(Span(0, 9, "PRO "),)), MAX_WORDS)
    assert fitted.outcomes == ("cut by a sentence boundary",)
    assert {problem.kind for problem in fitted.problems} == {
        "cut by a sentence boundary",
        "white space trimmed",
        "label cleaned",
    }


@pytest.mark.parametrize("segmented", [True, False])
def test_a_sentence_of_too_many_words_is_cut_and_listed(segmented: bool) -> None:
    text = "slovo " * 25
    sentences = segment(text, "cs", max_words=100) if segmented else ()
    fitted = fit(Document("1", text, "cs", "t", sentences), 10)
    assert [len(sentence.words) for sentence in fitted.document.sentences] == [10, 10, 5]
    assert fitted.cut == (25,)
    assert [(p.document, p.kind, p.detail) for p in fitted.problems] == [
        ("t/cs/1", "long sentence cut", "25 words in 3 parts")
    ]


@given(documents(), st.integers(2, 12))
def test_every_mention_has_one_outcome(document: Document, max_words: int) -> None:
    fitted = fit(document, max_words)
    assert len(fitted.outcomes) == len(document.spans) == len(fitted.document.spans)
    listed = Counter(problem.kind for problem in fitted.problems)
    for kind in LOST:
        assert fitted.outcomes.count(kind) == listed[kind]
    assert {outcome for outcome in fitted.outcomes if outcome} <= {*LOST, *CHANGED}
    words = [word for sentence in document.sentences for word in sentence.words]
    assert [word for sentence in fitted.document.sentences for word in sentence.words] == words
    assert fitted.document.text == document.text
