from __future__ import annotations

from benchmarks.list_position import items, list_position_counts
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment
from ner_head.evaluation.measures.spans import Counts

TEXT = "Jana Nová a Eva jely do Brna."


def document(*spans: Span) -> Document:
    return Document("d", TEXT, "cs", sentences=segment(TEXT, "cs"), spans=spans)


def test_a_sentence_is_a_list_of_entities_and_other_words() -> None:
    (sentence,) = document().sentences
    assert items(sentence, [Span(0, 9, "PER"), Span(24, 28, "LOC")]) == ["PER", *"OOOO", "LOC", "O"]
    adjacent = [Span(0, 4, "PER"), Span(5, 9, "PER")]
    assert items(sentence, adjacent) == ["PER", *"OOOOOO"]  # they are merged


def test_one_span_too_long_shifts_all_that_follows() -> None:
    gold = document(Span(0, 9, "PER"), Span(12, 15, "PER"), Span(24, 28, "LOC"))
    long = document(Span(0, 11, "PER"), Span(12, 15, "PER"), Span(24, 28, "LOC"))
    assert list_position_counts([gold], [gold]) == {"LOC": Counts(1, 1, 1), "PER": Counts(2, 2, 2)}
    assert list_position_counts([gold], [long]) == {"LOC": Counts(0, 1, 1), "PER": Counts(1, 1, 2)}
