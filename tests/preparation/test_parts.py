"""Several corpora with labels of their own: what each document annotates, and what is left out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ner_head.base.errors import UsageError
from ner_head.base.params import validate
from ner_head.corpus.records import read_documents, write_documents
from ner_head.corpus.results import judged
from ner_head.preparation.prepare import PrepareParams, prepare
from tests.conftest import ROOT

FIRST = {"path": "news", "format": "bsnlp2019", "labels": ["PER", "LOC", "ORG"]}
SECOND = {"path": "products.jsonl", "labels": ["PRO"]}
TEXT = "Telefon Zeta 5 vyrábí firma Orel."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents of the sample, whose products and events are ignored, and one with a product only."""
    for kind, suffix in (("raw", "txt"), ("annotated", "out")):
        for number in ("01", "02", "03"):
            path = Path(kind, "railway/cs", f"railway_cs_{number}.{suffix}")
            (tmp_path / "news" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "data/sample" / path, tmp_path / "news" / path)
    record = {"id": "1", "topic": "shop", "language": "cs", "text": TEXT, "spans": [[8, 14, "PRO"], [28, 32, "ORG"]]}
    (tmp_path / "products.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    return tmp_path


def params(folder: Path, *parts: dict[str, object], **splits: object) -> PrepareParams:
    values = {"source": str(folder), "format": "jsonl", "languages": ["cs"], "parts": list(parts), "splits": splits}
    return validate(values, "prepare", PrepareParams)


def test_each_document_says_what_its_corpus_annotates(folder: Path, tmp_path: Path) -> None:
    prepared = prepare(params(folder, FIRST, SECOND, train=["railway", "shop"]))
    *news, shop = prepared.splits["train"]
    assert {document.annotates for document in news} == {("LOC", "ORG", "PER")}
    assert {span.label for document in news for span in document.spans} <= {"LOC", "ORG", "PER"}
    assert (shop.annotates, [span.label for span in shop.spans]) == (("PRO",), ["PRO"])
    notices = prepared.report()["read"]["notices"]
    assert any("products.jsonl: left out spans of labels that prepare.parts does not name: ORG 1" in n for n in notices)
    assert "train: 1 documents annotate PRO and no other label" in notices
    assert "train: 3 documents annotate LOC, ORG, PER and no other label" in notices
    write_documents(tmp_path / "train.jsonl", prepared.splits["train"])
    assert list(read_documents(tmp_path / "train.jsonl")) == prepared.splits["train"]


def test_a_name_keeps_topics_apart(folder: Path) -> None:
    twice = [{**SECOND, "name": "old", "labels": ["ORG"]}, {**SECOND, "name": "new"}]
    prepared = prepare(params(folder, *twice, train=["old-shop"], dev=["new-*"]))
    assert [document.key for document in prepared.splits["train"]] == ["old-shop/cs/1"]
    assert [document.key for document in prepared.splits["dev"]] == ["new-shop/cs/1"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({**SECOND, "path": "../other"}, r"path must be inside of prepare\.source, which dvc tracks"),
        ({**SECOND, "labels": ["PRO", "PRO"]}, "a label is named twice: PRO, PRO"),
        ({**SECOND, "labels": []}, "at least 1 item"),
        ({**SECOND, "columns": {"word": 1}}, r"columns are params of format conll; the format is jsonl"),
        ({**SECOND, "path": "no.jsonl"}, r"prepare\.parts: .*no\.jsonl: no such file or folder"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, part: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        prepare(params(folder, part, train=["shop"]))


def test_a_label_without_spans_is_told(folder: Path) -> None:
    prepared = prepare(params(folder, {**SECOND, "labels": ["PRO", "EVT"]}, train=["shop"]))
    assert any("annotates EVT, but has no span of it" in notice for notice in prepared.log.notices)


def test_found_spans_of_other_labels_are_not_judged(folder: Path) -> None:
    (shop,) = prepare(params(folder, SECOND, train=["shop"])).splits["train"]
    found = replace(shop, spans=(*shop.spans, replace(shop.spans[0], start=28, end=32, label="ORG")), annotates=None)
    assert [span.label for span in judged([shop], [found])[0].spans] == ["PRO"]
    assert judged([replace(shop, annotates=None)], [found]) == [found]
