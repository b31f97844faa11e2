"""All stages for each combination of existing splits: absent splits are not reported, and all outputs exist."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments import params as experiments
from stages import baseline, error_page, evaluate, extract, lemmatize, link, plots_page, prepare, submit, train
from tests.conftest import ROOT
from tests.test_stage_dependencies import PIPELINE

TEXT, SPANS = "Jana Nová bydlí v Brně.", [[0, 9, "PER"], [18, 22, "LOC"]]
BLIND = {"id": "b", "text": TEXT, "language": "cs"}
EMPTY = {**BLIND, "spans": []}
COMBINATIONS = {
    "train": {},
    "train+dev": {"dev": "gold"},
    "train+test": {"test": "gold"},
    "train+dev+test": {"dev": "gold", "test": "gold"},
    "train+blind test": {"test": "blind"},
    "train+dev+blind test": {"dev": "gold", "test": "blind"},
    "train+dev without names": {"dev": "empty"},
    "train+dev without names+test": {"dev": "empty", "test": "gold"},
}


@contextmanager
def project(folder: Path, encoder: Path, splits: dict[str, str]) -> Iterator[None]:
    """Change to a folder with a corpus and its params."""
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    gold = [{"id": str(i), "text": TEXT, "language": "cs", "spans": SPANS} for i in range(4)]
    for name, records in {"train": gold, "gold": gold[:2], "blind": [BLIND], "empty": [EMPTY]}.items():
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"corpus/{name}.jsonl").write_text(lines, encoding="utf-8")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots", dirs_exist_ok=True)
    changes = ["prepare.source=corpus", "prepare.format=jsonl", "prepare.languages=[]", f"encoder.model={encoder}"]
    changes += ["head.lstm.hidden=8", "head.words.buckets=100", "training.epochs=2", "baseline.iterations=2"]
    changes += ["lemmatize.epochs=1", "link.epochs=1"]
    for split in ("train", "dev", "test"):
        file = "train" if split == "train" else splits.get(split, "")
        if file and split != file:
            shutil.copy(folder / f"corpus/{file}.jsonl", folder / f"corpus/{split}.jsonl")
        changes.append(f"prepare.splits.{split}=[{split if file else ''}]")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["params", *changes, "runtime.progress=none", "runtime.device=cpu"])
        experiments.main()
        yield


def run_all() -> None:
    for stage in (prepare, extract, train, baseline, evaluate, lemmatize, link, submit, error_page, plots_page):
        stage.main()


def outputs() -> list[str]:
    """The outputs of all stages in dvc.yaml."""
    stages = PIPELINE["stages"].values()
    written = [out for stage in stages for kind in ("outs", "metrics") for out in stage.get(kind, [])]
    return [out if isinstance(out, str) else next(iter(out)) for out in written]


@pytest.mark.parametrize("name", COMBINATIONS)
def test_only_what_is_there_is_reported(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    splits = COMBINATIONS[name]
    scored = {split for split, kind in splits.items() if kind == "gold"}
    with project(tmp_path, tiny_encoder, splits):
        run_all()
        assert [out for out in outputs() if not Path(out).exists()] == []
        for report in ("reports/metrics.json", "reports/details.json", "reports/baseline/metrics.json"):
            found = json.loads(Path(report).read_text(encoding="utf-8"))
            key = "strict" if report.endswith("details.json") else "f1"
            assert (key in found, "test" in found) == ("dev" in scored, "test" in scored)
        results = Path("reports/results.md").read_text(encoding="utf-8")
        for split in ("dev", "test"):
            assert (f"| {split}, strict spans |" in results) == (split in scored)
        assert results
        card = Path("reports/model_card.md").read_text(encoding="utf-8")
        for split in ("dev", "test"):
            assert (f"| {split} | gold spans |" in card) == (split in scored)
        assert ("## Precision to order" in card) == ("dev" in scored)
        assert ("dev_f1" in json.loads(Path("reports/training.json").read_text())) == ("dev" in scored)
        manifest = json.loads(Path("models/head/manifest.json").read_text())
        assert (manifest["training"]["dev_f1"] is None) == ("dev" not in scored)
        assert "dev" in scored or manifest["training"]["epoch"] == 2
        for table in ("oracle", "confusion", "reliability_spans", "reliability_languages"):
            with Path(f"reports/{table}.csv").open(encoding="utf-8") as handle:
                assert bool(list(csv.DictReader(handle))) <= ("dev" in scored)
        with Path("reports/learning_curve.csv").open(encoding="utf-8") as handle:
            assert [bool(row["dev_f1"]) for row in csv.DictReader(handle)] == ["dev" in scored] * 2
        page = Path("reports/errors.html").read_text(encoding="utf-8")
        assert ("Nothing to compare: neither dev nor test" in page) == (not scored)
        assert ('"id":"0"' in page) == bool(scored)
        assert [f'"split":"{split}"' in page for split in ("dev", "test")] == ["dev" in scored, "test" in scored]
        n_files = len(list(Path("reports/bsnlp").rglob("*.out")))
        assert n_files == sum({"gold": 2, "blind": 1, "empty": 1}[kind] for kind in splits.values())


def test_nothing_of_the_last_corpus_stays(tiny_encoder: Path, tmp_path: Path) -> None:
    for splits in (COMBINATIONS["train+dev+test"], {}):
        with project(tmp_path, tiny_encoder, splits):
            run_all()
    assert list((tmp_path / "reports/bsnlp").rglob("*.out")) == []
    assert '"id":"0"' not in (tmp_path / "reports/errors.html").read_text(encoding="utf-8")
    assert (tmp_path / "reports/predictions/dev.jsonl").read_bytes().strip() == b""
    assert "nothing to score" in (tmp_path / "reports/results.md").read_text(encoding="utf-8")


def test_what_is_not_what_it_looks_like_is_a_line(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with project(tmp_path, tiny_encoder, {"dev": "gold"}):
        record = {"id": "x", "text": TEXT, "language": "uk", "spans": [[0, 9, "ORG"]]}
        Path("corpus/dev.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
        for stage in (prepare, extract, train):
            stage.main()
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    for part in (
        "the label ORG, which train lacks",
        "the language uk, which train lacks",
        "dev F1 is 0 in every epoch",
    ):
        assert sum(part in line for line in notes) == 1
    assert any("temperatures: 1.0" in line for line in notes)
