from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.corpus.documents import (
    Document,
    Reading,
    Sentence,
    Span,
    Word,
    character_span,
    sentence_id,
    without_overlaps,
    word_spans,
)
from ner_head.corpus.records import from_record, read_documents, to_record, write_documents
from tests.corpus.strategies import documents
from tests.corpus.strategies import word_spans as drawn_spans

SENTENCE = Sentence((Word("Nová", 2, 6), Word("Praha", 7, 12), Word("27", 12, 14)))


@given(documents())
def test_a_document_comes_back_from_its_record(document: Document) -> None:
    assert from_record(json.loads(json.dumps(to_record(document)))) == document


@given(st.lists(documents(), max_size=3))
def test_documents_come_back_from_their_file(tmp_path_factory: pytest.TempPathFactory, several: list[Document]) -> None:
    path = tmp_path_factory.mktemp("documents") / "new" / "train.jsonl"
    assert write_documents(path, several) == len(several)
    assert list(read_documents(path)) == several


@given(st.data(), documents())
def test_word_spans_come_back_from_character_spans(data: st.DataObject, document: Document) -> None:
    for sentence in document.sentences:
        spans = data.draw(drawn_spans(len(sentence.words)))
        assert word_spans(sentence, [character_span(sentence, span) for span in spans]) == spans


def test_a_span_inside_a_word_is_widened_to_the_word() -> None:
    assert word_spans(SENTENCE, [Span(7, 10, "LOC")]) == [Span(1, 2, "LOC")]


def test_a_span_that_leaves_the_sentence_is_no_span_of_it() -> None:
    assert word_spans(SENTENCE, [Span(0, 6, "LOC"), Span(12, 15, "LOC")]) == []


def test_the_longest_of_overlapping_spans_wins_then_the_first() -> None:
    short, long, late = Span(0, 2, "A"), Span(1, 4, "B"), Span(3, 6, "C")
    assert without_overlaps([short, long, late]) == [long]
    assert without_overlaps([late, short]) == [short, late]


def test_keys_tell_equal_ids_of_two_topics_apart() -> None:
    document = Document("pl-1", "", "pl", "brexit")
    assert document.key == "brexit/pl/pl-1"
    assert sentence_id(document.key, 3) == "brexit/pl/pl-1#3"


def test_a_span_keeps_its_probability_and_equals_one_without() -> None:
    sure, unsure = Span(0, 3, "PER", 0.9), Span(0, 3, "PER")
    assert sure == unsure
    assert len({sure, unsure}) == 1
    document = Document("1", "abc", spans=(sure,))
    (found,) = from_record(json.loads(json.dumps(to_record(document)))).spans
    assert found.probability == 0.9
    assert to_record(Document("1", "abc", spans=(unsure,)))["spans"] == [[0, 3, "PER"]]
    assert character_span(SENTENCE, Span(1, 3, "LOC", 0.5)).probability == 0.5
    with pytest.raises(ValueError, match=r"probability 1\.5 is not between 0 and 1"):
        from_record({"id": "1", "text": "abc", "spans": [[0, 3, "PER", 1.5]]})


@pytest.mark.parametrize("offsets", [[0, 4], [-1, 1], [2, 2], [2, 1]])
def test_offsets_outside_the_text_or_empty_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match=r"outside the text \(0\.\.3\) or empty"):
        from_record({"id": "1", "text": "abc", "spans": [[*offsets, "PER"]]})


@pytest.mark.parametrize(
    "changed",
    [
        {"spans": [[0, 3, ["PER"]]]},
        {"spans": [[0, 3, 5]]},
        {"spans": [[0, 3.0, "PER"]]},
        {"spans": [[False, 3, "PER"]]},
        {"spans": [[0, 3, "PER", "0.5"]]},
        {"spans": [[0, 3, "PER", True]]},
        {"spans": [[0, 3, "PER", 0.5, 0.5]]},
        {"spans": [[0, 3]]},
        {"spans": 5},
        {"id": 5},
        {"language": ["cs"]},
        {"topic": {}},
        {"text": ["abc"]},
        {"annotates": 5},
    ],
    ids=str,
)
def test_values_of_other_types_are_refused(changed: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    path.write_text(json.dumps({"id": "1", "text": "abc", **changed}))
    with pytest.raises(DataError, match=r"dev\.jsonl:1: not a document: (TypeError|ValueError)"):
        list(read_documents(path))


def test_a_line_that_is_no_document_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    path.write_text('{"id": "1", "text": ""}\n{"id": "2"}\n')
    with pytest.raises(DataError, match=r"dev\.jsonl:2: not a document: KeyError\('text'\)"):
        list(read_documents(path))


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    path.write_bytes(b'{"id": "1", "text": "\xff"}\n')
    with pytest.raises(DataError, match=r"dev\.jsonl:1: not a document: invalid start byte at byte 21$"):
        list(read_documents(path))


def test_no_documents_are_a_file_that_is_not_empty(tmp_path: Path) -> None:
    assert write_documents(tmp_path / "test.jsonl", []) == 0
    assert (tmp_path / "test.jsonl").read_text() == "\n"  # DVC warns of empty files


def test_a_missing_file_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dev\.jsonl: No such file or directory; run `dvc repro prepare`"):
        list(read_documents(tmp_path / "dev.jsonl"))


def test_reprs_are_short() -> None:
    text = "slovo " * 10_000
    words = tuple(Word("slovo", 6 * i, 6 * i + 5) for i in range(10_000))
    document = Document("a" * 100, text, "cs", sentences=(Sentence(words),), spans=(Span(0, 5, "PER"),))
    assert repr(document) == (
        "Document('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…', 'slovo slovo slovo slovo slovo slovo slo…', cs, "
        "10,000 words, 1 span)"
    )
    assert len(repr(document.sentences[0])) < 120
    assert repr(Span(0, 5, "PER")) == "Span(0, 5, 'PER')"
    assert repr(Span(0, 5, "PER", 0.98765, text="slovo")) == "Span(0, 5, 'PER', probability=0.9877, text='slovo')"


def test_the_record_of_a_result() -> None:
    document = Document(
        "1", "Jan spí", "cs", spans=(Span(0, 3, "PER", 0.98765),), extra={"url": "x", "id": 1, "text": "y"}
    )
    assert json.loads(document.to_json()) == document.to_dict()
    assert document.to_dict() == {
        "id": 1,
        "language": "cs",
        "language_probability": None,
        "text": "Jan spí",
        "spans": [{"start": 0, "end": 3, "label": "PER", "text": "Jan", "probability": 0.9877}],
        "url": "x",
    }


def test_spans_learn_their_text_and_stay_equal() -> None:
    document = Document("1", "Jan spí", spans=(Span(0, 3, "PER"),), readings=((Reading(0.5, (Span(0, 3, "PER"),)),),))
    found = document.with_texts()
    assert found == document
    assert found.spans[0].text == found.readings[0][0].spans[0].text == "Jan"
    assert hash(found) == hash(document)


def test_lemma_and_entity_survive_a_file_and_are_printed() -> None:
    spans = (
        Span(0, 4, "PER", 0.5, lemma="Jana", entity="PER-Jana"),
        Span(5, 9, "LOC", lemma="Brno"),
        Span(9, 10, "LOC"),
    )
    document = Document("1", "Jany Brna.", spans=spans)
    back = from_record(json.loads(json.dumps(to_record(document))))
    assert [(s.probability, s.lemma, s.entity) for s in back.spans] == [
        (0.5, "Jana", "PER-Jana"),
        (None, "Brno", None),
        (None, None, None),
    ]
    first, _, last = document.to_dict()["spans"]
    assert (first["lemma"], first["entity"]) == ("Jana", "PER-Jana")
    assert "lemma" not in last
