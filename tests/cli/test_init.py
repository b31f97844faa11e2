"""`ner-head init`: what it finds out about a corpus, and the project that it writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ner_head.base.params import read_params
from ner_head.preparation.prepare import PrepareParams, prepare
from ner_head.project.layout import bundled_encoder, pipeline
from tests.cli.test_main import run
from tests.conftest import ROOT

JSONL = '{{"id": "{0}", "text": "{1} Jana Nová bydlí v Brně.", "spans": [[{2}, {3}, "PER"]]}}\n'


def jsonl(n: int) -> str:
    words = [f"Slovo{i} " * 8 for i in range(n)]
    return "".join(JSONL.format(i, word, len(word) + 1, len(word) + 10) for i, word in enumerate(words))


def conll(n: int) -> str:
    return "".join(f"Jana B-PER\nNová I-PER\nbydlí O\nv O\nBrně B-LOC\n{i} O\n. O\n\n" for i in range(n))


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("notes.jsonl", jsonl(10), "jsonl: 10 documents, 10 mentions (PER 10)"),
        ("a.txt", conll(300), "conll: 7 documents"),
    ],
)
def test_one_file_becomes_a_project(
    name: str,
    content: str,
    found: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content, encoding="utf-8")
    code, out, err = run("init", name, "--project", "mine", capsys=capsys, monkeypatch=monkeypatch)
    assert (code, out) == (0, "")
    assert f"format {found}" in err
    assert err.rstrip().endswith("now run: cd mine && dvc repro")
    prepared = prepare(read_params(Path("mine/params.yaml"), "prepare", PrepareParams))
    assert prepared.splits["train"]
    assert prepared.splits["dev"]
    assert Path("mine/encoders/multilingual-e5-small/config.json").is_file()
    assert "no_scm" in Path("mine/.dvc/config").read_text().partition("[cache]")[0]
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd="mine", capture_output=True, text=True)
    assert "prepare:" in status.stdout, status.stderr

    again = run("init", name, "--project", "mine", capsys=capsys, monkeypatch=monkeypatch)
    assert again[0] == 2
    assert again[2].endswith("exists already; give another folder, or run `ner-head init` in it\n")
    monkeypatch.chdir("mine")
    code, _, err = run("init", f"../{name}", "--dev", "0.3", capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    assert read_params(Path("params.yaml"), "prepare", PrepareParams).splits.shares == {"dev": 0.3}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "--project", "p"], 2, "nowhere: no such file or folder"),
        (["good.jsonl"], 2, "params.yaml: no such file; give a folder for a new project (--project DIR)"),
        (["good.jsonl", "--project", "p", "--dev", "1.5"], 2, "--dev: a share is at least 0 and less than 1, got 1.5"),
        (["good.jsonl", "--project", "p", "--dev", ","], 2, "--dev: no name in ','"),
        (
            ["good.jsonl", "--project", "p", "--format", "xml"],
            2,
            "--format: unknown format 'xml'; formats are",
        ),
        (
            ["good.jsonl", "--project", "p", "--dev", "x"],
            2,
            "prepare.splits.dev: no topic or document 'x' in",
        ),
        (["one.jsonl", "--project", "p"], 2, "prepare.splits.dev: 0.2 of 1 documents in 1 groups"),
        (["plain.txt", "--project", "p"], 3, "plain.txt: no annotated corpus in a known format (bsnlp2019: "),
    ],
)
def test_what_cannot_be_set_up_is_said_in_one_line_and_writes_nothing(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.jsonl").write_text(jsonl(10), encoding="utf-8")
    Path("one.jsonl").write_text(jsonl(1), encoding="utf-8")
    Path("plain.txt").write_text("Jana Nová bydlí v Brně.\n", encoding="utf-8")
    found = run("init", *arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert found[0] == code
    assert found[2].splitlines()[-1].startswith(f"ner-head: {message}")
    assert not Path("p").exists()


def test_the_pipeline_of_a_project_is_that_of_the_repository_without_its_code() -> None:
    yaml = YAML(typ="safe", pure=True)
    here = yaml.load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    there = yaml.load(pipeline(ROOT / "dvc.yaml"))
    for stage in here["stages"].values():
        code = [name for name in stage["deps"] if name.startswith(("ner_head/", "stages/"))]
        assert code
        stage["deps"] = [name for name in stage["deps"] if name not in code] + ["requirements.txt"]
    assert there == here
    assert "repository" not in pipeline(ROOT / "dvc.yaml").partition("stages:")[0]


def test_the_encoder_of_the_repository_is_found() -> None:
    assert bundled_encoder() == ROOT / "encoders/multilingual-e5-small"
