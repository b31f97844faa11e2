"""Two taggers compared: counts of who is right, the paired bootstrap, and the reading of predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import binomtest

from ner_head.base.errors import DataError
from ner_head.comparison import Agreement, agree, compare, difference, read_spans, table
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.records import write_documents
from ner_head.corpus.segment import segment
from ner_head.evaluation.measures.slices import gain
from ner_head.pages.compare_page import page, rows_of
from tests.cli.test_predict_and_embed import run

TEXT = "Jana řídí Orel v Praze. Petr spí."
JANA, OREL, PRAHA, PETR = Span(0, 4, "PER"), Span(10, 14, "ORG"), Span(17, 22, "LOC"), Span(24, 28, "PER")
GOLD = Document("1", TEXT, "cs", "t", segment(TEXT, "cs"), (JANA, OREL, PETR))


def with_spans(*spans: Span) -> Document:
    return replace(GOLD, spans=tuple(sorted(spans)))


def many(document: Document, n: int) -> list[Document]:
    return [replace(document, id=str(number)) for number in range(n)]


def test_each_span_is_counted_by_who_has_it() -> None:
    a, b = with_spans(JANA, OREL, PRAHA), with_spans(JANA, PRAHA, replace(OREL, label="PRO"))
    found = agree([GOLD], [a], [b])
    assert found == Agreement(1, 1, 0, 1, 1, 0, 1)
    assert (found.a_right, found.b_right) == (2, 0)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (7, 2), (2, 7), (40, 41)])
def test_mcnemars_test_is_the_exact_binomial_test(a: int, b: int) -> None:
    wanted = binomtest(a, a + b).pvalue if a + b else 1.0
    assert Agreement(found_by_a=a, found_by_b=b).mcnemar == pytest.approx(wanted)


def test_the_bootstrap_is_paired_and_symmetric() -> None:
    gold = many(GOLD, 12)
    better = [with_spans(JANA, OREL, *([PETR] if i % 2 else [])) for i in range(12)]
    worse = [with_spans(JANA, *([PETR] if i % 2 else [])) for i in range(12)]
    found, turned = difference(gold, better, worse), difference(gold, worse, better)
    known = gain(gold, better, worse)
    assert (found.f1, found.low, found.high) == (known["f1"], known["f1_low"], known["f1_high"])
    assert found.p == turned.p == pytest.approx(2 / 1001)
    assert turned.f1 == -found.f1
    assert difference(gold, better, better).p == 1.0
    few = difference(gold[:9], better[:9], worse[:9])
    assert (few.low, few.p) == (None, None)


def test_types_and_languages_have_rows_of_their_own() -> None:
    gold = [GOLD, replace(GOLD, id="2", language="sk")]
    found = compare(gold, gold, [with_spans(JANA), with_spans(JANA)])
    assert list(found) == ["all", "ORG", "PER", "language cs", "language sk"]
    assert (found["PER"].b["recall"], found["ORG"].b["recall"]) == (0.5, 0.0)
    assert "gold spans: 2 found by both, 4 by A only, 0 by B only, 0 by none" in table(found)
    assert "no interval for fewer than 10 documents" in table(found)


def test_the_page_says_who_is_right_in_each_sentence() -> None:
    a, b = with_spans(JANA, OREL), with_spans(JANA, PRAHA, PETR)
    assert [(row.kind, TEXT[row.start : row.end]) for row in rows_of(GOLD, a, b)] == [
        ("a", "Jana řídí Orel v Praze."),
        ("b", "Petr spí."),
    ]
    content = page("A & B", "<1>", ("A: x", "B: <y>"), [GOLD], [a], [b])
    assert "<h1>A &amp; B</h1>" in content
    assert "B: &lt;y&gt;" in content
    assert '<mark class="spurious">Praze<small>LOC</small></mark>' in content
    assert "<script" not in content
    assert "A is right <b>1</b>" in content
    assert "Both are right in every sentence." in page("t", "s", ("A", "B"), [GOLD], [GOLD], [GOLD])


def test_predictions_are_found_by_their_text(tmp_path: Path) -> None:
    path, other = tmp_path / "a.jsonl", replace(GOLD, id="2", text="Nic.", sentences=(), spans=())
    record = {"text": TEXT, "id": 7, "spans": [{"start": 0, "end": 4, "label": "PER", "probability": 0.5}]}
    path.write_text(json.dumps({"text": "Nic.", "spans": []}) + "\n\n" + json.dumps(record) + "\n")
    assert [document.spans for document in read_spans(path, [GOLD, other])] == [(JANA,), ()]
    write_documents(path, [GOLD])
    assert read_spans(path, [GOLD]) == [GOLD]
    with pytest.raises(DataError, match=r"a\.jsonl: no prediction for t/cs/2; predict the same documents"):
        read_spans(path, [GOLD, other])
    for span in ('[0, "x", "PER"]', '[0, 1, "PER", "0.5"]', '{"start": 0, "end": 1, "label": 5}', "[0, 9, 5]", "5"):
        path.write_text(f'{{"text": "a", "spans": [{span}]}}\n')
        with pytest.raises(DataError, match=r"a\.jsonl:1: no prediction with text and spans"):
            read_spans(path, [GOLD])


def test_models_and_files_of_the_sample_are_compared(
    model: Path, documents: list[Document], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write_documents(tmp_path / "gold.jsonl", documents)
    write_documents(tmp_path / "b.jsonl", [replace(document, spans=document.spans[:1]) for document in documents])
    arguments = ["compare", str(model), str(tmp_path / "b.jsonl"), "--gold", str(tmp_path / "gold.jsonl")]
    arguments += ["--features", str(tmp_path), "--output", str(tmp_path / "page.html")]
    code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert (code, "the encoder is run, because" in err) == (0, True)
    assert "gold spans: 6 found by both, 6 by A only" in out
    assert "A is right <b>6</b>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    code, out, _ = run(*arguments, "--json", capsys=capsys, monkeypatch=monkeypatch)
    assert json.loads(out)["slices"]["LOC"]["agreement"]["found_by_a"] == 6
    write_documents(tmp_path / "gold.jsonl", [replace(document, spans=()) for document in documents])
    code, _, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert (code, "no gold spans, so there is nothing to compare with" in err) == (3, True)


def test_the_documents_of_the_store_are_not_encoded_again(
    model: Path, documents: list[Document], store_folder: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write_documents(tmp_path / "gold.jsonl", documents)
    arguments = ["compare", str(model), str(model), "--gold", str(tmp_path / "gold.jsonl")]
    code, out, err = run(*arguments, "--features", str(store_folder), capsys=capsys, monkeypatch=monkeypatch)
    assert (code, err.count("0 pieces computed")) == (0, 2)
    assert "gold spans: 12 found by both" in out


@pytest.fixture
def store_folder(store: object) -> Path:
    return Path(store.directory)  # type: ignore[attr-defined]
