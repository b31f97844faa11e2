"""`predict --precision`: thresholds of the model's own figures, and a line where there are none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ner_head.evaluation.figures import Figures, model_digest
from ner_head.evaluation.thresholds import LabelThresholds
from ner_head.prediction.precision import order
from tests.cli.test_predict_and_embed import run

TEXT = "Jana Nováková přijela do Prahy."


@pytest.fixture(scope="module")
def known(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with figures: PER reaches 0.95 at every probability, LOC does not."""
    folder = Path(shutil.copytree(model, tmp_path_factory.mktemp("project") / "models/head"))
    (folder.parent.parent / "reports").mkdir()
    found = {
        "PER": LabelThresholds(gold=50, steps=[(0.0, 49, 50), (0.9, 49, 49)]),
        "LOC": LabelThresholds(gold=9, steps=[(0.1, 8, 9)]),
    }
    figures = Figures(model=model_digest(folder), data={}, scores={}, thresholds=found)
    figures.write(folder.parent.parent / "reports/figures.json")
    return folder


def test_types_that_reach_it_are_kept_and_the_others_are_named(
    known: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["predict", "--text", TEXT, "--model", str(known), "--precision"]
    code, out, err = run(*command, "0.95", capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    assert [span["label"] for span in json.loads(out)["spans"]] == ["PER"]
    assert err == "ner-head: LOC: precision 0.95 is not reached on dev, 0.80 at most, so no LOC is kept\n"
    code, out, err = run(*command, "0.75", capsys=capsys, monkeypatch=monkeypatch)
    assert ([span["label"] for span in json.loads(out)["spans"]], err) == (["PER", "LOC"], "")
    assert order(known, 0.97, ["PER"]).choice.least_of == {"PER": 0.9}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--precision", "1"], 2, "--precision: must be above 0 and below 1, got 1"),
        (["--precision", "0.9", "--min-probability", "0.5"], 2, "leave --min-probability out"),
        (["--precision", "0.9", "--labels", "ORG"], 2, "label 'ORG': the model has LOC, PER"),
    ],
)
def test_wrong_options_are_one_line(
    known: Path,
    options: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["predict", "--text", TEXT, "--model", str(known), *options]
    found, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert (found, out, len(err.splitlines())) == (code, "", 1)
    assert message in err


def test_a_model_without_figures_or_with_those_of_another_one_is_refused(
    model: Path, known: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["predict", "--text", TEXT, "--precision", "0.9", "--model"]
    code, _, err = run(*arguments, str(model), capsys=capsys, monkeypatch=monkeypatch)
    assert (code, err.endswith("for --precision; run `dvc repro evaluate`\n")) == (3, True)
    other = Path(shutil.copytree(known.parent.parent, tmp_path / "project")) / "models/head"
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["temperatures"]["spans"] = 2.0
    (other / "manifest.json").write_text(json.dumps(manifest))
    code, _, err = run(*arguments, str(other), capsys=capsys, monkeypatch=monkeypatch)
    assert (code, "is about another model than" in err) == (3, True)
