"""Stage `error_page`, in a folder of its own: what it writes, and its errors for files of other documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Reading
from ner_head.corpus.records import write_documents
from ner_head.evaluation.nbest_files import write_nbest
from ner_head.evaluation.readings import to_nbest
from stages import error_page


@pytest.fixture
def folder(tmp_path: Path, documents: list[Document], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with six dev documents. The first entity of each is missed."""
    monkeypatch.chdir(tmp_path)
    found = [replace(document, spans=document.spans[1:]) for document in documents]
    write_documents(tmp_path / "data/prepared/dev.jsonl", documents)
    write_documents(tmp_path / "data/prepared/test.jsonl", [])
    write_documents(tmp_path / "reports/predictions/dev.jsonl", found)
    readings = [[[Reading(0.5, d.spans), Reading(0.1, ())], [Reading(1.0, ())]] for d in found]
    write_nbest(
        tmp_path / "reports/nbest/dev.txt",
        (best for document, each in zip(found, readings, strict=True) for best in to_nbest(document, each)),
    )
    return tmp_path


def test_the_page_has_the_documents_and_their_score(folder: Path) -> None:
    error_page.main()
    page = (folder / "reports/errors.html").read_text(encoding="utf-8")
    assert "6 documents, 12 gold spans, strict F1 0.667" in page
    assert page.count('["missed","PER",null,0.0]') == 6


def test_predictions_or_readings_of_other_documents_are_one_clear_line(folder: Path, documents: list[Document]) -> None:
    write_documents(folder / "reports/predictions/dev.jsonl", documents[1:])
    with pytest.raises(DataError, match=r"predictions/dev\.jsonl: other documents than data/prepared/dev\.jsonl; run"):
        error_page.main()
    write_documents(folder / "reports/predictions/dev.jsonl", documents)
    (folder / "reports/nbest/dev.txt").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="sentence 0 of news/cs/cs-1 is not there; run `dvc repro evaluate`"):
        error_page.main()
