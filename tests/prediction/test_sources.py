"""Documents from files of any format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ner_head.base.errors import DataError, NerHeadError, UsageError
from ner_head.corpus.documents import Document
from ner_head.prediction.sources import SourceOptions, read_documents, record_document
from tests.conftest import ROOT


def failed(error: NerHeadError) -> None:
    raise error


def documents(path: Path, form: str, **options: int) -> list[Document]:
    found = read_documents([str(path)], SourceOptions(form, **options), failed)
    return [item for item in found if isinstance(item, Document)]


def words(document: Document) -> list[list[str]]:
    return [[word.text for word in sentence.words] for sentence in document.sentences]


def test_text_is_one_document_and_lines_are_many(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffJan spí.\r\n \r\nEma má mísu.".encode())
    assert [(d.id, d.text) for d in documents(path, "text")] == [(str(path), "\ufeffJan spí.\r\n \r\nEma má mísu.")]
    assert [(d.id, d.text) for d in documents(path, "lines")] == [
        (f"{path}:1", "Jan spí."),
        (f"{path}:3", "Ema má mísu."),
    ]


def test_fields_of_records_are_kept_and_annotations_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    records = [
        {"id": 7, "text": "Jan spí.", "url": "x", "spans": [[0, 99, "PER"]], "meta": {"a": [1]}},
        {"id": "b", "topic": "t", "language": "CS", "text": "Ema.", "answer": "reject", "labels": "sport"},
        {"text": "Ema."},
    ]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    one, two, three = documents(path, "jsonl")
    assert one.spans == ()
    assert {"id": 7, "url": "x", "meta": {"a": [1]}, "spans": []}.items() <= one.to_dict().items()
    assert (two.id, two.topic, two.language) == ("b", "t", "cs")
    assert {"answer": "reject", "labels": "sport"}.items() <= two.to_dict().items()
    assert (three.id, three.extra) == (f"{path}:3", {})


@pytest.mark.parametrize(
    "record",
    [
        {"tokens": ["Jan", "Nový", "spí", "."], "ner_tags": [1, 2, 0, 0]},
        {"words": ["Jan", "Nový", "spí", "."], "tags": ["B-PER", "I-PER", "O", "O"]},
        {"text": "Jan Nový spí.", "sentences": [[[0, 3], [4, 8], [9, 12], [12, 13]]]},
    ],
)
def test_given_words_of_records_are_kept(record: dict[str, object]) -> None:
    document = record_document(record, "1")
    assert document.text == "Jan Nový spí."
    assert words(document) == [["Jan", "Nový", "spí", "."]]


def test_a_bad_record_is_named_and_may_be_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\nnot json\n{"id": "x"}\n' + "[" * 100_000 + '\n{"text": "b"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.jsonl:2: not a document: Expecting value"):
        documents(path, "jsonl")
    told: list[str] = []
    found = read_documents([str(path)], SourceOptions("jsonl"), lambda error: told.append(str(error)))
    assert [item.text for item in found if isinstance(item, Document)] == ["a", "b"]
    assert [line.split(":")[1] for line in told] == ["2", "3", "4"]


def test_a_source_that_cannot_be_read_may_be_skipped(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"\xff")
    (tmp_path / "c.txt").write_text("Jan.")
    told: list[NerHeadError] = []
    paths = [str(tmp_path / name) for name in ("a.txt", "b.txt", "c.txt")]
    assert [d.text for d in read_documents(paths, SourceOptions(), told.append) if isinstance(d, Document)] == ["Jan."]
    assert [type(error) for error in told] == [UsageError, DataError]


TAGGED = "-DOCSTART- O\n\nJan B-PER\nNový I-PER\nspí O\n\n-DOCSTART- O\n\nEma B-PER\n"
NUMBERED = "# newdoc id = first\n1\tJan\t_\n2\tNový\t_\n3\tspí\tSpaceAfter=No\n4\t.\t_\n\n"


@pytest.mark.parametrize(
    ("content", "column", "expected", "text"),
    [
        ("Jan\nNový\nspí\n\nEma\n", 0, [["Jan", "Nový", "spí"], ["Ema"]], "Jan Nový spí\nEma"),
        (TAGGED, 0, [["Jan", "Nový", "spí"]], "Jan Nový spí"),
        (NUMBERED, 0, [["Jan", "Nový", "spí", "."]], "Jan Nový spí."),
        ("x Jan\ny Nový\nz spí\n", 2, [["Jan", "Nový", "spí"]], "Jan Nový spí"),
        ("token\ntag\n#tag\n", 0, [["token", "tag", "#tag"]], "token tag #tag"),
    ],
)
def test_words_and_sentences_of_conll_files_are_kept(
    tmp_path: Path, content: str, column: int, expected: list[list[str]], text: str
) -> None:
    path = tmp_path / "a.conll"
    path.write_text(content, encoding="utf-8")
    first, *_ = documents(path, "conll", word_column=column)
    assert words(first) == expected
    assert first.text == text
    assert first.spans == ()
    assert first.id == ("first" if content == NUMBERED else f"{path}:1")


def test_long_conll_files_are_cut_at_blank_lines_and_marks(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("slovo\nje\n\n" * 1000, encoding="utf-8")
    found = documents(path, "conll")
    assert sum(len(document.sentences) for document in found) == 1000
    assert [document.id for document in found] == [f"{path}:{n + 1}" for n in range(len(found))]
    assert max(len(document.sentences) for document in found) == 150
    path.write_text(TAGGED, encoding="utf-8")
    assert [words(document) for document in documents(path, "conll")] == [[["Jan", "Nový", "spí"]], [["Ema"]]]
    path.write_text("\n\n", encoding="utf-8")
    assert documents(path, "conll") == []


def test_a_wrong_column_or_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("Jan O\n" * 400 + "\nJan\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.conll:402: a row of 1 fields, but most have 2"):
        documents(path, "conll")
    with pytest.raises(UsageError, match="--word-column 3: there are 2 columns"):
        documents(path, "conll", word_column=3)


def test_a_corpus_is_read_without_its_annotations() -> None:
    found = documents(ROOT / "data/sample", "bsnlp2019")
    assert len(found) == 224
    assert all(document.topic and document.text and not document.spans for document in found)
    path = next((ROOT / "data/sample/raw/railway/cs").iterdir())
    (alone,) = documents(path, "bsnlp2019")
    assert alone.text in [document.text for document in found]
    with pytest.raises(UsageError, match="--from slavicner reads the folder of a corpus"):
        documents(path, "slavicner")
    with pytest.raises(UsageError, match="which standard input cannot be"):
        documents(Path("-"), "bsnlp2019")
