from __future__ import annotations

from ner_head.corpus.documents import Document, Span
from ner_head.evaluation.measures.unknown import unknown

TEXT = "Jana bydlí v Brně."


def test_a_label_and_a_language_that_train_lacks_are_a_line_each() -> None:
    documents = [
        Document("1", TEXT, "cs", spans=(Span(0, 4, "PER"), Span(13, 17, "CITY"))),
        Document("2", TEXT, "uk", spans=(Span(13, 17, "CITY"),)),
        Document("3", TEXT, "uk"),
        Document("4", TEXT),
    ]
    label, language = unknown("dev", documents, ["PER"], ["cs", "pl"])
    assert label == "dev: 2 gold spans have the label CITY, which train lacks: none of them can be found"
    assert language.startswith("dev: 2 documents are of the language uk, which train lacks: ")


def test_what_train_has_is_no_line() -> None:
    assert unknown("dev", [Document("1", TEXT, "cs", spans=(Span(0, 4, "PER"),))], ["PER"], ["cs"]) == []
    assert unknown("test", [], [], []) == []
