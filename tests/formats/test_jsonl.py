from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.records import write_documents
from ner_head.corpus.segment import segment
from ner_head.formats.jsonl import read
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem
from ner_head.formats.records import to_record
from tests.conftest import ROOT
from tests.corpus.strategies import write


def test_what_prepare_wrote_is_read_again(tmp_path: Path) -> None:
    text = "T. Mayová mlčela."
    document = Document("1", text, "cs", "brexit", segment(text, "cs"), (Span(0, 9, "PER"),))
    write_documents(tmp_path / "dev.jsonl", [document])
    assert list(read(tmp_path, ReaderOptions(("cs",)), ReaderLog())) == [(document, ())]


def test_text_and_spans_suffice(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"news.jsonl": '\ufeff\n{"text": "EU a ČR", "topic": null, "spans": [[5, 7, "LOC"], [0, 2, "ORG"]]}\n'},
    )
    ((document, problems),) = read(tmp_path, ReaderOptions(), ReaderLog())
    assert document.key == "news/und/2"
    assert document.spans == (Span(0, 2, "ORG"), Span(5, 7, "LOC"))
    assert problems == ()


def test_predictions_are_read_as_annotations(tmp_path: Path) -> None:
    record = {"text": "EU", "spans": [{"start": 0, "end": 2, "label": "ORG", "text": "EU"}]}
    write(tmp_path, {"a.jsonl": json.dumps(record)})
    ((document, _),) = read(tmp_path / "a.jsonl", ReaderOptions(), ReaderLog())
    assert document.spans == (Span(0, 2, "ORG"),)


def test_a_record_without_spans_has_no_annotations(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": '{"text": "EU"}\n{"text": "x", "spans": []}'})
    assert [problems for _, problems in read(tmp_path, ReaderOptions(), ReaderLog())] == [
        (Problem("a/und/1", "no annotations"),),
        (),
    ]


def test_other_languages_are_left_out_and_the_unknown_one_stays(tmp_path: Path) -> None:
    rows = [{"text": name, "language": name, "spans": []} for name in ("cs", "de", "und")]
    write(tmp_path, {"a.jsonl": "\n".join(map(json.dumps, rows))})
    log = ReaderLog()
    assert [document.text for document, _ in read(tmp_path, ReaderOptions(("cs",)), log)] == ["cs", "und"]
    assert log.lines() == ["left out (language de, which is not in prepare.languages): 1 records"]
    assert +log.rows == {"kept": 2, "left out": 1}
    assert len(list(read(tmp_path, ReaderOptions(), ReaderLog()))) == 3


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", "expected an object, got list"),
        ('{"id": "1", "Text": "EU"}', "no 'text'; its keys are 'id', 'Text'"),
        ('{"text": 1}', "text must be a string, got 1"),
        ('{"text": "EU", "id": 1.5}', r"id must be a string or a whole number, got 1\.5"),
        ('{"text": "EU", "id": true}', "id must be a string or a whole number, got True"),
        ('{"text": "EU", "topic": 2019}', "topic must be a string, got 2019"),
        ('{"text": "\\ud800"}', "surrogates not allowed"),
        ('{"text": "EU", "spans": [[0, 3, "ORG"]]}', r"offsets \[0, 3\) outside the text \(0\.\.2\) or empty"),
        ('{"text": "EU", "spans": [[0, 1.0, "ORG"]]}', "a span must have whole numbers start and end, and one label"),
        ('{"text": "EU", "spans": [[0, 1, 4]]}', "a span must have whole numbers start and end, and one label"),
        ('{"text": "EU", "spans": [{"start": 0, "end": 1, "labels": ["A", "B"]}]}', "one label, a string"),
        ('{"text": "EU", "spans": [[0, 1, " "]]}', "an empty label"),
        ('{"text": "EU", "spans": [[0, 1, "A\\u0007"]]}', "has control characters"),
        ('{"text": "EU", "spans": [[0, 1, "(missed)"]]}', "stands in parentheses"),
        ('{"text": "EU", "spans": [{"start": 0}]}', "a span has no 'end'"),
        ('{"text": "EU", "spans": [[0, 1]]}', r"a span must be \[start, end, label\]"),
        ('{"text": "EU", "label": "politics"}', r"label must be a list of spans \[start, end, label\], got 'politics'"),
        ('{"text": "EU", "label": ["politics"]}', r"a span must be \[start, end, label\]"),
        (
            '{"text": "EU", "spans": [[0, 1, "A"]], "label": [[0, 2, "B"]]}',
            "stand under 'spans' and 'label'; leave one",
        ),
        ('{"text": "EU", "id": "\\ud800"}', "surrogates not allowed"),
        ('{"text": "EU", "sentences": 5}', "sentences must be a list of lists"),
        ('{"text": "EU", "sentences": [[[0, 2]], [[0, 2]]]}', "overlap or are out of order"),
        ('{"text": "EU", "sentences": [[]]}', r"a sentence must be a list of words \[start, end\], got \[\]"),
        ('{"text": "EU", "sentences": [[[0, 1, 2]]]}', "a sentence must be a list of words"),
        ('{"text": "EU", "sentences": [[[0, 2], [1, 2]]]}', "words of a sentence overlap or are out of order"),
    ],
)
def test_what_is_no_record_is_named_with_file_line_and_reason(tmp_path: Path, record: str, why: str) -> None:
    write(tmp_path, {"a.jsonl": f'{{"text": "x"}}\n{record}\n'})
    with pytest.raises(DataError, match=rf"a\.jsonl:2: not a document: .*{why}"):
        list(read(tmp_path, ReaderOptions(), ReaderLog()))


def read_one(tmp_path: Path, record: dict[str, Any]) -> tuple[Document, tuple[Problem, ...], ReaderLog]:
    """A corpus of one record, read."""
    write(tmp_path, {"a.jsonl": json.dumps(record)})
    log = ReaderLog()
    ((document, problems),) = read(tmp_path, ReaderOptions(), log)
    return document, problems, log


@pytest.mark.parametrize(
    "annotations",
    [
        {"label": [[0, 2, "ORG"]]},  # doccano
        {"labels": [[0, 2, "ORG"]], "label": None},
        {"entities": [{"id": 1, "label": "ORG", "start_offset": 0, "end_offset": 2}], "relations": []},  # doccano
        {"spans": [{"start": 0, "end": 2, "label": "ORG", "token_start": 0, "token_end": 0}]},  # Prodigy
        {"spans": [[0, 2, "ORG"]], "label": "politics"},  # a category of the text beside
        {"spans": [[0, 2, "ORG"]], "entities": []},
        {"entities": [[0, 2, "ORG"]]},  # spaCy
        {"ents": [{"start": 0, "end": 2, "label": "ORG"}]},  # spaCy's Doc.to_json
        {"label": [{"start": 0, "end": 2, "text": "EU", "labels": ["ORG"]}]},  # Label Studio, JSON_MIN
        {"spans": [[0, 2, "ORG", 0.5]]},
    ],
)
def test_annotations_of_tools_are_read(tmp_path: Path, annotations: dict[str, Any]) -> None:
    document, problems, _ = read_one(tmp_path, {"text": "EU a", **annotations})
    assert [(span.start, span.end, span.label) for span in document.spans] == [(0, 2, "ORG")]
    assert problems == ()


def test_a_text_with_its_annotations_behind_it_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": '["EU a", {"entities": [[0, 2, "ORG"]]}]'})
    ((document, _),) = read(tmp_path, ReaderOptions(), ReaderLog())
    assert document.spans == (Span(0, 2, "ORG"),)


def test_whole_numbers_are_ids(tmp_path: Path) -> None:
    document, _, _ = read_one(tmp_path, {"id": 7, "text": "EU", "spans": []})
    assert document.id == "7"


def test_a_language_in_capitals_is_the_same(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": '{"text": "EU", "language": "CS", "spans": []}'})
    ((document, _),) = read(tmp_path, ReaderOptions(("cs",)), ReaderLog())
    assert document.language == "cs"


def test_rejected_and_ignored_records_are_left_out_and_counted(tmp_path: Path) -> None:
    spans = [[0, 2, "ORG"]]
    answers = ("accept", "reject", "ignore", "reject", "42")
    records = [{"text": "EU", "spans": spans, "answer": answer} for answer in answers]
    write(tmp_path, {"a.jsonl": "\n".join(map(json.dumps, records))})
    log = ReaderLog()
    assert [document.id for document, _ in read(tmp_path, ReaderOptions(), log)] == ["1", "5"]
    assert log.left_out == log.mentions_left_out == {"answer reject": 2, "answer ignore": 1}
    assert +log.rows == {"kept": 2, "left out": 3}
    assert log.lines()[1:] == ["left out (answer reject): 2 records", "left out (answer ignore): 1 records"]
    assert "'answer' (1 records, first" in log.lines()[0]  # 42 is no answer of an annotator


def test_keys_that_nothing_reads_are_named_once(tmp_path: Path) -> None:
    records = [{"text": "EU", "spans": [], "Comments": [], "_task_hash": 1}] * 3
    write(tmp_path, {"a.jsonl": "\n".join(json.dumps(record) for record in records)})
    log = ReaderLog()
    list(read(tmp_path, ReaderOptions(), log))
    assert log.notices == [f"keys that nothing reads: 'Comments' (3 records, first {tmp_path}/a.jsonl:1)"]


def test_a_record_without_gold_says_what_it_has_instead(tmp_path: Path) -> None:
    _, problems, _ = read_one(tmp_path, {"text": "EU", "Spans": [[0, 2, "ORG"]]})
    assert problems == (Problem("a/und/1", "no annotations", detail="keys that nothing reads: 'Spans'"),)


def test_white_space_around_a_spans_own_text_is_no_difference(tmp_path: Path) -> None:
    spans = [
        {"start": 0, "end": 5, "label": "PER", "text": "Jan N"},
        {"start": 0, "end": 4, "label": "X", "text": "Jan"},
    ]
    document, problems, _ = read_one(tmp_path, {"text": "Jan\nN", "spans": spans})
    assert len(document.spans) == 2
    assert problems == ()


def test_a_span_whose_own_text_is_another_is_left_out_and_listed(tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 2, "label": "ORG", "text": "ČR"}, {"start": 3, "end": 5, "label": "LOC", "text": "ČR"}]
    document, problems, _ = read_one(tmp_path, {"text": "EU ČR", "spans": spans})
    assert document.spans == (Span(3, 5, "LOC"),)
    assert problems == (Problem("a/und/1", "surface differs", "ČR", "ORG: [0, 2) covers 'EU'"),)


@pytest.mark.parametrize(
    ("text", "start", "end", "way"),
    [
        ("\U0001f600 ČR", 3, 5, "UTF-16 units"),
        ("\U0001f600" * 6 + "ČR", 12, 14, "UTF-16 units"),  # outside the text
        ("\U0001f600 ČR a tak dále", 5, 8, "bytes of UTF-8"),
        ("v ČR.", 2, 3, "up to the last character instead of one past it"),
        ("v ČR.", 3, 5, "from 1 instead of 0"),
    ],
)
def test_offsets_counted_in_another_way_are_refused_with_that_way(
    tmp_path: Path, text: str, start: int, end: int, way: str
) -> None:
    with pytest.raises(DataError, match=rf"a\.jsonl:1: not a document: offsets count {way}"):
        read_one(tmp_path, {"text": text, "spans": [{"start": start, "end": end, "label": "LOC", "text": "ČR"}]})


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), st.data())
def test_right_offsets_are_never_taken_for_another_count(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    span = {"start": start, "end": end, "label": "A", "text": text[start:end]}
    record = to_record(json.loads(json.dumps({"text": text, "spans": [span]})), {"id": "1", "topic": "t"})
    assert record.document.spans == (Span(start, end, "A"),)
    assert record.problems == ()


def test_all_wrong_lines_are_reported_up_to_twenty(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": '{"text": "x"}\n' + '{"text": 1}\n' * 25})
    with pytest.raises(DataError) as caught:
        list(read(tmp_path, ReaderOptions(), ReaderLog()))
    lines = str(caught.value).split("\n")
    assert lines[0] == f"{tmp_path}/a.jsonl:2: not a document: text must be a string, got 1"
    assert len(lines) == 21
    assert lines[20] == f"{tmp_path}/a.jsonl: 5 more lines like these"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (json.dumps([{"text": "EU"}], indent=1), "one JSON array over several lines; one record a line is expected"),
        (json.dumps([{"text": "EU"}, {"text": "x"}]), "one JSON array on one line; one record a line is expected"),
        ("\n[\n]", "one JSON array over several lines"),
        (
            json.dumps({"text": "EU"}, indent=1) + "\n" + json.dumps({"text": "x"}, indent=1),
            "a record over several lines",
        ),
    ],
)
def test_another_layout_of_json_is_named(tmp_path: Path, content: str, why: str) -> None:
    write(tmp_path, {"a.jsonl": content})
    with pytest.raises(DataError, match=rf"a\.jsonl:\d: {why}.*jq -c"):
        list(read(tmp_path, ReaderOptions(), ReaderLog()))


@pytest.mark.parametrize("depth", [900, 5_000, 200_000])
def test_deep_json_is_one_line(tmp_path: Path, depth: int) -> None:
    for content in (
        "[" * depth + "]" * depth,
        '{"text": "x", "spans": ' + "[" * depth + "]" * depth + "}",
        "[" * depth,
    ):
        write(tmp_path, {"a.jsonl": content})
        with pytest.raises(DataError, match=r"a\.jsonl:1: not a document"):
            list(read(tmp_path, ReaderOptions(), ReaderLog()))


def test_the_lines_of_the_documentation_are_read(tmp_path: Path) -> None:
    page = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    section = page.split("\n## `jsonl`\n")[1].split("\n## ")[0]
    lines = regex.findall(r"^\| [^|]+ \| `([^`]+)` \|", section, regex.MULTILINE)
    assert len(lines) == 6
    write(tmp_path, {"a.jsonl": "\n".join(lines)})
    for document, problems in read(tmp_path, ReaderOptions(), ReaderLog()):
        assert (document.text, document.spans, problems) == ("EU a ČR", (Span(0, 2, "ORG"),), ())


@pytest.mark.parametrize(
    "span",
    [
        [0, 6, "LOC", {"lemma": "Londyn", "entity": "GPE-London"}],
        [0, 6, "LOC", 0.5, {"lemma": "Londyn", "entity": "GPE-London"}],
        {"start": 0, "end": 6, "label": "LOC", "lemma": "Londyn", "entity": "GPE-London"},
    ],
)
def test_lemma_and_entity_of_a_span_are_read(tmp_path: Path, span: object) -> None:
    write(tmp_path, {"a.jsonl": json.dumps({"text": "Londynu", "spans": [span]})})
    ((document, _),) = read(tmp_path, ReaderOptions(), ReaderLog())
    assert [(found.lemma, found.entity) for found in document.spans] == [("Londyn", "GPE-London")]
