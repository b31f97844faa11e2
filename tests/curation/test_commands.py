"""`ner-head folds`, `suspects`, `curve` and `suggest` on the sample, over cached features."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ner_head.cli import main as cli
from ner_head.corpus.records import read_documents, write_documents
from tests.conftest import ROOT

Run = Callable[..., tuple[int, str, str]]
CACHED = "0 word pieces were computed by the encoder"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, project: Path) -> Run:
    """`ner-head` in the project; exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(project)
        monkeypatch.setattr(sys, "argv", ["ner-head", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        output = capsys.readouterr()
        return int(stop.value.code or 0), output.out, output.err

    return call


def test_folds_are_trained_once_and_score_every_document_once(run: Run, project: Path) -> None:
    shutil.rmtree(project / "data/folds", ignore_errors=True)  # other tests make the same folds
    code, out, err = run("folds", "-k", "3", "--json", "--output", "predicted.jsonl")
    assert code == 0, err
    found = json.loads(out)
    train = list(read_documents(project / "data/prepared/train.jsonl"))
    assert sum(row["documents"] for row in found["folds"]) == len(train)
    assert found["total"]["gold"] == sum(len(document.spans) for document in train)
    assert [d.key for d in read_documents(project / "predicted.jsonl")] == [d.key for d in train]
    assert f"3 of 3 heads trained, the others read from data/folds; {CACHED}" in err
    code, again, err = run("folds", "-k", "3", "--json")
    assert json.loads(again) == found
    assert f"0 of 3 heads trained, the others read from data/folds; {CACHED}" in err
    code, out, err = run("folds", "-k", "3", "--only", "1")  # a table of one fold
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["documents", "fold", "all"]


def test_suspects_are_ranked_drawn_and_exported(run: Run, project: Path) -> None:
    code, out, err = run(
        "suspects", "-k", "3", "-n", "7", "--json", "--page", "suspects.html", "--export", "review.jsonl"
    )
    assert code == 0, err
    assert CACHED in err
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 7
    assert [row["margin"] for row in rows] == sorted((row["margin"] for row in rows), reverse=True)
    texts = {d.key: d.text for d in read_documents(project / "data/prepared/train.jsonl")}
    for row in rows:
        for span in filter(None, (row["gold"], row["found"])):
            assert texts[row["document"]][span["start"] : span["end"]] == span["text"]
            assert 0 <= span["probability"] <= 1
    page = (project / "suspects.html").read_text(encoding="utf-8")
    assert page.count('<section class="doc') == 7
    assert "<script" not in page
    reviewed = [json.loads(line) for line in (project / "review.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(len(record["suspects"]) for record in reviewed) == 7
    code, out, err = run("suspects", "-k", "3", "-n", "7", "--export", "review.json", "--to", "label-studio")
    assert code == 0, err
    tasks = json.loads((project / "review.json").read_text(encoding="utf-8"))
    assert len(tasks) == len(reviewed)
    assert all(task["predictions"][0]["result"] for task in tasks if task["predictions"])


def test_the_curve_says_what_more_documents_bring(run: Run, project: Path) -> None:
    arguments = ["curve", "--fractions", "0.5,1", "--seeds", "2", "--more", "100"]
    code, out, err = run(*arguments, "--json", "--page", "curve.html")
    assert code == 0, err
    found = json.loads(out)
    assert found["points"][0]["documents"] < found["points"][1]["documents"]
    assert found["more"]["documents"] == 100
    assert found["more"]["low"] <= found["more"]["gain"] <= found["more"]["high"]
    assert f"4 of 4 heads trained, the others read from data/folds; {CACHED}" in err
    code, out, err = run(*arguments)
    assert out.splitlines()[-1].startswith("Another 100 documents bring about ")
    assert "0 of 4 heads trained" in err
    page = (project / "curve.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert f"<p>{out.splitlines()[-1]}</p>" in page
    for point in found["points"]:
        assert f"<tr><td>{point['documents']:,.0f}</td><td>{point['f1']:.3f}</td>" in page


def test_suggestions_are_pre_annotated_and_no_copies(run: Run, project: Path, model: Path, tiny_encoder: Path) -> None:
    texts = sorted((ROOT / "data/sample/raw/satellite/cs").glob("*.txt"))[:4]
    (project / "texts").mkdir()
    for path in texts:
        shutil.copy(path, project / "texts")
    shutil.copy(texts[0], project / "texts/copy.txt")
    arguments = ["suggest", "texts", "-n", "9", "--model", str(model), "--encoder", str(tiny_encoder)]
    arguments += ["--prepared", "absent", "--language", "cs"]
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    assert "4 of 9 documents: the rest of the 5 texts are near copies" in err
    assert not err.startswith("0 word pieces")
    rows = [json.loads(line) for line in out.splitlines()]
    assert len({row["id"] for row in rows}) == 4
    assert all(row["uncertainty"] >= 0 and isinstance(row["spans"], list) for row in rows)
    code, out, err = run(*arguments, "--by", "errors", "--output", "next.jsonl")
    assert CACHED.split(" word")[0] + " word pieces were computed" in err
    assert (out, len((project / "next.jsonl").read_text(encoding="utf-8").splitlines())) == ("", 4)
    code, out, err = run(*arguments, "--output", "next", "--to", "brat")
    assert (code, len(list((project / "next").rglob("*.ann")))) == (0, 4)
    code, out, err = run(*arguments[:-4], "--language", "cs")  # the texts are of dev, which is prepared
    assert out.splitlines()[1:] == []


def test_too_little_data_is_one_line(run: Run, project: Path, tmp_path: Path) -> None:
    train = list(read_documents(project / "data/prepared/train.jsonl"))
    write_documents(tmp_path / "train.jsonl", train[:1])
    write_documents(tmp_path / "dev.jsonl", train[1:2])
    for arguments, code, message in (
        (["folds"], 3, "1 documents have"),
        (["suspects"], 3, "1 documents have"),
        (["curve"], 3, "dev has 1 documents, and 10 are needed for an interval"),
        (["curve", "--fractions", "0,1"], 2, "--fractions: two or more different numbers above 0"),
        (["folds", "--splits", "train,blind"], 2, "--splits: no split 'blind'"),
        (["suspects", "--kind", "odd"], 2, "--kind: no kind 'odd'; kinds are missing"),
        (["folds", "-k", "3", "--only", "3"], 2, "--only: folds are numbered from 0 to 2, got 3"),
        (["folds", "--features", "absent"], 3, "absent/manifest.json: No such file"),
        (["suggest", "texts", "--by", "luck"], 2, "--by: entropy or errors is expected"),
    ):
        prepared = [] if arguments[0] == "suggest" else ["--prepared", str(tmp_path)]
        found, out, err = run(*arguments, *prepared)
        assert (found, out) == (code, "")
        assert message in err
        assert len(err.splitlines()) == 1
    code, _, err = run("folds", "-k", "100")
    assert code == 2
    assert "each fold needs a group; ask for fewer folds" in err
