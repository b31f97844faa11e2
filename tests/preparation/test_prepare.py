from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import Document, Span, word_spans
from ner_head.corpus.records import read_documents
from ner_head.corpus.segment import SEGMENTATION
from ner_head.corpus.tagging import TagSet
from ner_head.formats.format import SourceDocument
from ner_head.formats.problems import LOST, Problem
from ner_head.preparation.prepare import Prepared, PrepareParams, Splits, prepare, split_documents
from stages import prepare as stage
from stages import run
from tests.corpus.strategies import LABELS, documents, write

BOTH = Splits(train=["brexit"], dev=["bibi"])


def source(key: str, text: str = "EU.", *spans: Span, problems: tuple[Problem, ...] = ()) -> SourceDocument:
    topic, language, name = key.split("/")
    return Document(name, text, language, topic, spans=spans), problems


def kinds(text: str, *spans: Span) -> list[tuple[str, str, str]]:
    prepared = split_documents([source("t/cs/1", text, *spans)], Splits(train=["t"]))
    assert prepared.splits["train"][0].spans == spans
    return [(problem.kind, problem.form, problem.detail) for problem in prepared.problems]


def corpus(root: Path) -> Path:
    for topic, name in (("brexit", "1"), ("bibi", "2")):
        header = f"cs-{name}\ncs\n2018-01-01\nhttps://news.example\n"
        write(root, {f"raw/{topic}/cs/{name}.txt": header + "Titulek\n\nPraha v EU. Konec.\n"})
        write(root, {f"annotated/{topic}/cs/{name}.out": f"cs-{name}\nEU\tEU\tORG\tx\nBrno\tBrno\tLOC\tx\n"})
    return root


def test_documents_go_where_their_topic_or_key_is_named() -> None:
    sources = [source("brexit/cs/1"), source("brexit/pl/1"), source("bibi/cs/1"), source("ryanair/cs/1")]
    prepared = split_documents(sources, Splits(train=["bibi", "brexit/cs/1"], dev=["brexit/pl/1"]))
    assert {split: [d.key for d in found] for split, found in prepared.splits.items()} == {
        "train": ["brexit/cs/1", "bibi/cs/1"],
        "dev": ["brexit/pl/1"],
        "test": [],
    }


def test_documents_are_segmented_unless_they_are_already() -> None:
    prepared = split_documents([source("t/cs/1", "Ano. Ne.")], Splits(train=["t"]))
    (document,) = prepared.splits["train"]
    assert len(document.sentences) == 2
    again = split_documents([(document, ())], Splits(train=["t"]))
    assert again.splits["train"][0] is document


def test_a_fitting_span_is_no_problem() -> None:
    assert kinds("Jedu do EU.", Span(8, 10, "ORG")) == []


def test_a_span_over_two_sentences_stays_exact_and_is_listed() -> None:
    assert kinds("Ano. Ne.", Span(0, 8, "PRO")) == [("cut by a sentence boundary", "Ano. Ne.", "PRO [0, 8)")]


def test_a_span_before_the_first_word_is_listed() -> None:
    assert kinds(" Ano.", Span(0, 1, "PRO")) == [("cut by a sentence boundary", " ", "PRO [0, 1)")]


def test_a_span_of_white_space_is_listed() -> None:
    assert kinds("Ano ne.", Span(3, 4, "PRO")) == [("not found", " ", "PRO [3, 4)")]


def test_a_span_inside_a_word_is_widened_and_listed() -> None:
    assert kinds("Китайските.", Span(0, 5, "LOC")) == [("widened to whole words", "Китай", "LOC [0, 5)")]


def test_the_shorter_of_overlapping_spans_is_listed() -> None:
    assert kinds("Soud v Londýně", Span(0, 14, "ORG"), Span(7, 14, "LOC")) == [
        ("overlaps a longer span", "Londýně", "LOC [7, 14)")
    ]


def test_the_second_span_of_the_same_words_is_listed() -> None:
    assert kinds("EU", Span(0, 1, "ORG"), Span(0, 2, "ORG")) == [
        ("widened to whole words", "E", "ORG [0, 1)"),
        ("overlaps a longer span", "EU", "ORG [0, 2)"),
    ]


@given(documents())
def test_every_span_is_in_the_tags_or_listed(document: Document) -> None:
    prepared = split_documents([(document, ())], Splits(train=[document.key]), max_words=7)
    tags = TagSet.iob(LABELS)
    tagged = 0
    (fitted,) = prepared.splits["train"]
    for sentence in fitted.sentences:
        spans = word_spans(sentence, fitted.spans)
        assert tags.spans(tags.encode(len(sentence.words), spans)) == spans
        tagged += len(spans)
        assert len(sentence.words) <= 7
    lost = [problem for problem in prepared.problems if problem.kind in LOST]
    assert tagged + len(lost) == len(document.spans)


def test_problems_of_documents_left_out_are_left_out() -> None:
    problem = Problem("ryanair/cs/1", "not found", "EU")
    prepared = split_documents(
        [source("brexit/cs/1"), source("bibi/cs/1"), source("ryanair/cs/1", problems=(problem,))], BOTH
    )
    assert prepared.problems == []


def test_an_unknown_name_lists_the_topics() -> None:
    expected = "prepare.splits.dev: no topic or document 'bibi' in the corpus; its topics are brexit, ryanair"
    with pytest.raises(UsageError) as caught:
        split_documents([source("ryanair/cs/1"), source("brexit/cs/1")], BOTH)
    assert str(caught.value) == expected


def test_a_document_in_two_splits_by_its_topic_and_its_key_is_refused() -> None:
    with pytest.raises(UsageError, match=r"b/cs/1 is in train \(b\) and dev \(b/cs/1\); leave one of them"):
        split_documents([source("b/cs/1")], Splits(train=["b"], dev=["b/cs/1"]))


def test_two_documents_of_one_key_are_refused() -> None:
    with pytest.raises(DataError, match=r"two documents are called b/cs/1; ids must differ"):
        split_documents([source("b/cs/1"), source("b/cs/1", "x")], Splits(train=["b"]))


@pytest.mark.parametrize("split", ["train", "dev"])
def test_learning_needs_annotations_but_testing_blind_does_not(split: str) -> None:
    bare = source("blind/cs/1", problems=(Problem("blind/cs/1", "no annotations"),))
    names: dict[str, Any] = {"train": ["brexit"], split: ["blind"]}
    with pytest.raises(DataError, match=rf"1 documents of {split} have no annotations, first blind/cs/1; "):
        split_documents(
            [source("brexit/cs/1"), bare], Splits(**names) if split == "dev" else Splits(train=["blind", "brexit"])
        )
    prepared = split_documents([source("brexit/cs/1"), bare], Splits(train=["brexit"], test=["blind"]))
    assert [problem.kind for problem in prepared.problems] == ["no annotations"]


def test_a_missing_source_or_language_is_named(tmp_path: Path) -> None:
    source = str(corpus(tmp_path))
    with pytest.raises(UsageError, match=r"prepare\.source: .*nowhere: no such file or folder"):
        prepare(PrepareParams(source=f"{source}/nowhere", format="jsonl", splits=BOTH))
    with pytest.raises(UsageError, match=r"prepare\.languages: no pl in .*; found cs"):
        prepare(PrepareParams(source=source, format="bsnlp2019", languages=["cs", "pl"], splits=BOTH))


def test_columns_and_files_that_were_found_or_passed_over_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(write(tmp_path, {"corpus/train.tsv": "x\tEU\tO\tB-ORG\n", "corpus/README.txt": b"\xff"}))
    params = "source: corpus, format: conll, columns: {word: 2, tag: 4}, splits: {train: [train]}"
    Path("params.yaml").write_text(f"prepare: {{{params}}}")
    stage.main()
    (document,) = read_documents(Path("data/prepared/train.jsonl"))
    assert (document.text, document.spans) == ("EU", (Span(0, 2, "ORG"),))
    shown = capsys.readouterr().err
    assert (
        "columns (counted from 1): word 2, tag 4 of 4; scheme: IOB2; set prepare.columns to read other columns\n"
        in shown
    )
    assert "passed over (no split names it): corpus/README.txt\n" in shown
    read = json.loads(Path("reports/prepare.json").read_text(encoding="utf-8"))["read"]
    assert read["files"] == 1
    assert read["passed over"] == {"corpus/README.txt": "no split names it"}
    assert read["rows"]["kept"] == 1


def test_languages_of_conll_need_no_folder_each(tmp_path: Path) -> None:
    write(tmp_path, {"train.conll": "EU B-ORG\n"})
    params = PrepareParams(source=str(tmp_path), format="conll", languages=["cs"], splits=Splits(train=["train"]))
    assert prepare(params).splits["train"][0].language == "und"


def test_the_stage_writes_splits_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(corpus(tmp_path))
    splits = "{train: [brexit], dev: [bibi]}"
    Path("params.yaml").write_text(
        f"prepare: {{source: ., format: bsnlp2019, languages: [cs], max_lost: 0.5, splits: {splits}}}"
    )
    stage.main()
    (document,) = read_documents(Path("data/prepared/train.jsonl"))
    assert document.key == "brexit/cs/cs-1"
    assert document.spans == (Span(17, 19, "ORG"),)
    assert list(read_documents(Path("data/prepared/test.jsonl"))) == []
    report = json.loads(Path("reports/prepare.json").read_text())
    assert report["segmentation"] == SEGMENTATION
    assert report["splits"]["dev"] == {"cs": {"documents": 1, "sentences": 3, "words": 7, "spans": {"ORG": 1}}}
    assert report["problems"]["not found"] == 2
    assert report["list"][1] == {"document": "brexit/cs/cs-1", "kind": "not found", "form": "Brno", "detail": "LOC"}
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "train cs                 1         3         7  ORG 1" in shown.err
    assert "2 not found" in shown.err


def test_a_stage_ends_with_one_line_and_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        run(stage.main)
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: params.yaml: no such file; run from the project's root\n"


def jsonl(root: Path, *records: dict[str, Any], **params: Any) -> Prepared:
    """A corpus of JSON records, topic `t` unless they say another, prepared with all of it in train."""
    write(root, {"t.jsonl": "\n".join(json.dumps(record) for record in records)})
    options: dict[str, Any] = {"splits": Splits(train=["t"]), **params}
    return prepare(PrepareParams(source=str(root), format="jsonl", **options))


@pytest.mark.parametrize("code", ["cs", "CS", " cs"])
def test_a_language_is_the_same_in_capitals(tmp_path: Path, code: str) -> None:
    records = [{"text": "EU", "spans": [[0, 2, "ORG"]], "language": language} for language in ("cs", "CS", "de")]
    prepared = jsonl(tmp_path, *records, languages=[code])
    assert [document.key for document in prepared.splits["train"]] == ["t/cs/1", "t/cs/2"]
    assert prepared.report()["documents"]["left out"]["language de, which is not in prepare.languages"] == 1


def test_another_code_of_the_language_is_told(tmp_path: Path) -> None:
    record = {"text": "EU", "spans": [[0, 2, "ORG"]], "language": "ces"}
    with pytest.raises(UsageError) as caught:
        jsonl(tmp_path, record, languages=["cs"])
    assert str(caught.value) == (
        f"prepare.languages: no cs in {tmp_path}; found ces; "
        "ces is the corpus's code of cs: write ces in prepare.languages"
    )


def test_a_topic_whose_documents_are_all_left_out_is_told(tmp_path: Path) -> None:
    records = [
        {"text": "EU", "spans": [[0, 2, "ORG"]], "language": "cs"},
        {"text": "EU", "spans": [[0, 2, "ORG"]], "language": "de", "topic": "u"},
    ]
    with pytest.raises(UsageError, match=r"prepare\.splits\.dev: every document of 'u' is left out"):
        jsonl(tmp_path, *records, languages=["cs"], splits=Splits(train=["t"], dev=["u"]))


def test_labels_that_look_alike_are_told(tmp_path: Path) -> None:
    prepared = jsonl(tmp_path, {"text": "EU a ČR", "spans": [[0, 2, "ORG"], [5, 7, "Org"]]})
    assert prepared.log.notices == ["labels that look alike: 'ORG', 'Org'"]


def test_the_longest_sentence_that_was_cut_is_told(tmp_path: Path) -> None:
    prepared = jsonl(tmp_path, {"text": "EU " * 1200, "spans": [[0, 2, "ORG"]]})
    assert prepared.log.notices == [
        "1 sentences of more than 500 words (prepare.max_words) were cut; longest sentence: 1,200 words"
    ]
    assert prepared.report()["splits"]["train"]["und"]["sentences"] == 3


def test_a_train_document_without_gold_says_what_it_has_instead(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"first t/und/1 \(keys that nothing reads: 'ner'\); learning"):
        jsonl(tmp_path, {"text": "EU", "ner": [[0, 2, "ORG"]]})


@pytest.mark.parametrize("dev", [[], ["u"]])
@pytest.mark.parametrize("test", [[], ["v"]])
def test_any_split_but_train_may_be_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dev: list[str], test: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {f"corpus/{name}.conll": "EU B-ORG\n" for name in "tuv"})
    Path("params.yaml").write_text(
        f"prepare: {{source: corpus, format: conll, splits: {{train: [t], dev: {dev}, test: {test}}}}}"
    )
    stage.main()
    counts = [len(list(read_documents(Path(f"data/prepared/{split}.jsonl")))) for split in ("train", "dev", "test")]
    assert counts == [1, len(dev), len(test)]
    report = json.loads(Path("reports/prepare.json").read_text())
    assert sum(report["documents"]["kept"].values()) == sum(counts)
