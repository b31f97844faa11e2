"""What came back from a tool is compared with what was predicted."""

from __future__ import annotations

from ner_head.cli.convert import loss_lines
from ner_head.conversion.comparison import compare
from ner_head.conversion.tool import Losses
from ner_head.corpus.documents import Document, Span

TEXT = "Jana Nová bydlí v Brně u Oty."


def test_each_mention_has_one_fate() -> None:
    predicted = (Span(0, 4, "PER", 0.6), Span(10, 15, "ORG", 0.5), Span(18, 22, "PER", 0.4), Span(25, 28, "LOC", 0.9))
    corrected = (Span(0, 9, "PER"), Span(16, 17, "MISC"), Span(18, 22, "LOC"), Span(25, 28, "LOC"))
    found = compare([Document("7", TEXT, spans=corrected)], [Document("a", TEXT, spans=predicted)])
    assert found.counts() == {
        "accepted": 1,
        "label changed": 1,
        "boundaries changed": 1,
        "both changed": 0,
        "removed": 1,
        "new": 1,
    }
    assert [change.fate for change in found.changes] == [
        "boundaries changed",
        "removed",
        "new",
        "label changed",
        "accepted",
    ]
    assert found.lines()[1] == ("mentions: 1 accepted, 2 changed (label 1, boundaries 1, both 0), 1 removed, 1 new")


def test_documents_are_paired_by_text_and_then_by_id() -> None:
    twice = [Document("a", "Oto", spans=(Span(0, 3, "PER"),)), Document("b", "Oto"), Document("c", "Ota")]
    back = [Document("b", "Oto"), Document("9", "Oto", spans=(Span(0, 3, "PER"),)), Document("d", "Jiný")]
    found = compare(back, twice)
    assert (found.documents, found.unchanged, found.missing, found.unknown) == (2, 2, ["/und/c"], ["/und/d"])


def test_losses_of_a_document_with_a_long_id_are_short_lines() -> None:
    losses = Losses()
    losses.add("train/" + "1" * 3000, "lemma or id", "Praha", "LOC [0, 5)")
    first, second = loss_lines(losses)
    assert first == "lost: 1 lemma or id"
    assert second == f"  train/{'1' * 33}…: 'Praha LOC [0, 5)'"
