from __future__ import annotations

import json
from pathlib import Path

import pytest

from ner_head.corpus.documents import Document, Span, write_documents
from ner_head.corpus.formats.jsonl import read
from ner_head.corpus.formats.reading import Problem, Tally, Wanted
from ner_head.corpus.segment import segment
from ner_head.errors import DataError
from tests.corpus.strategies import write


def test_what_prepare_wrote_is_read_again(tmp_path: Path) -> None:
    text = "T. Mayová mlčela."
    document = Document("1", text, "cs", "brexit", segment(text, "cs"), (Span(0, 9, "PER"),))
    write_documents(tmp_path / "dev.jsonl", [document])
    assert list(read(tmp_path, Wanted(("cs",)), Tally())) == [(document, ())]


def test_text_and_spans_suffice(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"news.jsonl": '\ufeff\n{"text": "EU a ČR", "topic": null, "spans": [[5, 7, "LOC"], [0, 2, "ORG"]]}\n'},
    )
    ((document, problems),) = read(tmp_path, Wanted(), Tally())
    assert document.key == "news/und/2"
    assert document.spans == (Span(0, 2, "ORG"), Span(5, 7, "LOC"))
    assert problems == ()


def test_predictions_are_read_as_annotations(tmp_path: Path) -> None:
    record = {"text": "EU", "spans": [{"start": 0, "end": 2, "label": "ORG", "text": "EU"}]}
    write(tmp_path, {"a.jsonl": json.dumps(record)})
    ((document, _),) = read(tmp_path / "a.jsonl", Wanted(), Tally())
    assert document.spans == (Span(0, 2, "ORG"),)


def test_a_record_without_spans_has_no_annotations(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": '{"text": "EU"}\n{"text": "x", "spans": []}'})
    assert [problems for _, problems in read(tmp_path, Wanted(), Tally())] == [
        (Problem("a/und/1", "no annotations"),),
        (),
    ]


def test_other_languages_are_left_out_and_the_unknown_one_stays(tmp_path: Path) -> None:
    rows = [{"text": name, "language": name, "spans": []} for name in ("cs", "de", "und")]
    write(tmp_path, {"a.jsonl": "\n".join(map(json.dumps, rows))})
    assert [document.text for document, _ in read(tmp_path, Wanted(("cs",)), Tally())] == ["cs", "und"]
    assert len(list(read(tmp_path, Wanted(), Tally()))) == 3


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", "expected an object, got list"),
        ('{"id": "1"}', "no 'text'"),
        ('{"text": 1}', "text must be a string, got 1"),
        ('{"text": "EU", "id": 1}', "id must be a string, got 1"),
        ('{"text": "\\ud800"}', "surrogates not allowed"),
        ('{"text": "EU", "spans": [[0, 3, "ORG"]]}', r"offsets \[0, 3\) outside the text \(0\.\.2\) or empty"),
        ('{"text": "EU", "spans": [[0, 1.0, "ORG"]]}', r"a span must be \[start, end, label\] with whole numbers"),
        ('{"text": "EU", "spans": [[0, 1, ""]]}', r"a span must be \[start, end, label\]"),
        ('{"text": "EU", "spans": [{"start": 0}]}', "no 'end'"),
        ('{"text": "EU", "spans": [[0, 1]]}', "not enough values"),
        ('{"text": "EU", "sentences": [[]]}', r"a sentence must be a list of words \[start, end\], got \[\]"),
        ('{"text": "EU", "sentences": [[[0, 1, 2]]]}', "a sentence must be a list of words"),
        ('{"text": "EU", "sentences": [[[0, 2], [1, 2]]]}', "words of a sentence overlap or are out of order"),
    ],
)
def test_what_is_no_record_is_named_with_file_line_and_reason(tmp_path: Path, record: str, why: str) -> None:
    write(tmp_path, {"a.jsonl": f'{{"text": "x"}}\n{record}\n'})
    with pytest.raises(DataError, match=rf"a\.jsonl:2: not a document: .*{why}"):
        list(read(tmp_path, Wanted(), Tally()))
