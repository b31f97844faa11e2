"""`dvc.yaml`: a change re-runs what it must and nothing else; wrong params; metrics."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from contextlib import chdir
from pathlib import Path

import pytest
from dvc_data.hashfile.meta import Meta
from ruamel.yaml import YAML

from ner_head.baseline import BaselineParams
from ner_head.features.extraction.params import EncoderParams
from ner_head.head.params import HeadParams
from ner_head.lemmas.params import LemmaParams
from ner_head.linking.params import LinkParams
from ner_head.preparation.prepare import PrepareParams
from ner_head.training.params import TrainingParams
from stages import start
from tests import small_corpus
from tests.conftest import ROOT
from tests.test_stage_dependencies import CRF, ENCODER, STAGES


@pytest.fixture(scope="module")
def project(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with the pipeline, the tiny encoder and a small corpus."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("ner_head", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "params.yaml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(tiny_encoder, folder / "encoders/tiny")
    small_corpus.write(folder / "data/sample")
    wanted = {
        **small_corpus.params("data/sample", "encoders/tiny"),
        "training.epochs": 20,
    }  # so that it finds some names
    set_params(folder, wanted)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "config", "core.analytics", "false"]):
        subprocess.run(command, cwd=folder, check=True, env=environment())
    shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    return folder


def names(params: object) -> set[str]:
    """The keys of params, at any depth."""
    if not isinstance(params, dict):
        return set()
    return set(params).union(*map(names, params.values()))


def test_no_param_has_a_name_that_the_run_cache_leaves_out() -> None:
    """DVC takes it for its own and hands out the results of another value (dvc/stage/cache.py)."""
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    sections = [PrepareParams, EncoderParams, HeadParams, TrainingParams, BaselineParams, LemmaParams, LinkParams]
    found = names(params).union(*(names(section.model_construct().model_dump()) for section in sections))
    assert "shard_words" in found
    assert not found & {Meta.PARAM_SIZE, Meta.PARAM_NFILES}


def environment() -> dict[str, str]:
    """Commands of this very interpreter's environment, and the modules of the repository.

    The copy of the modules in the project is what DVC watches. Its kernels would all be compiled once more.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}


def reproduce(project: Path) -> list[str]:
    """Run `dvc repro`; the stages that ran, in alphabetical order."""
    done = subprocess.run(["dvc", "repro"], cwd=project, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage"))


def changed(project: Path) -> set[str]:
    """The stages whose own params or dependencies have changed, which `dvc repro` runs before those that follow."""
    from dvc.repo import Repo  # slow to import

    with chdir(project), Repo() as repo:
        return set(repo.status())


def set_params(project: Path, changes: dict[str, object]) -> str:
    """Change `params.yaml` by dotted paths; returns what it held. A path to nothing that is there is a mistake."""
    path, yaml = project / "params.yaml", YAML()
    before = path.read_text(encoding="utf-8")
    params = yaml.load(before)
    for name, value in changes.items():
        *parents, last = name.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        assert last in section
        section[last] = value
    with path.open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    return before


@pytest.fixture(scope="module")
def finished(project: Path) -> Path:
    """The project after a `dvc repro`, which runs every stage."""
    assert reproduce(project) == STAGES
    return project


def test_what_is_finished_is_not_run_again(finished: Path) -> None:
    assert reproduce(finished) == []
    assert changed(finished) == set()


@pytest.mark.parametrize(
    ("param", "value", "stages"),
    [
        ("runtime.batch_pieces", 2048, set()),
        ("encoder.shard_words", 100, {"extract"}),
        ("head.lstm.hidden", 16, {"train"}),
        ("training.clip", 2.0, {"train"}),
        ("baseline.iterations", 1, {"baseline"}),
        ("lemmatize.epochs", 1, {"lemmatize"}),
        ("link.epochs", 1, {"link"}),
        ("prepare.languages", ["cs"], {"prepare"}),
    ],
)
def test_a_param_concerns_the_stages_of_its_section(
    finished: Path, param: str, value: object, stages: set[str]
) -> None:
    before = set_params(finished, {param: value})
    try:
        assert changed(finished) == stages
    finally:
        (finished / "params.yaml").write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        (CRF, {"train", "evaluate"}),
        (ENCODER, {"extract"}),
        ("ner_head/pages/assets/page.css", {"error_page", "plots_page"}),
        ("ner_head/recognizer.py", set()),
        ("stages/link.py", {"link"}),
        ("data/sample/train.jsonl", {"prepare"}),
    ],
)
def test_a_file_concerns_the_stages_that_depend_on_it(finished: Path, file: str, stages: set[str]) -> None:
    path = finished / file
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    try:
        assert changed(finished) == stages
    finally:
        path.write_bytes(before)


def test_the_metrics_are_shown_in_a_table_that_fits_a_screen(finished: Path) -> None:
    command = ["dvc", "metrics", "show"]
    shown = subprocess.run(command, cwd=finished, capture_output=True, text=True, env=environment(), check=True)
    table = shown.stdout.splitlines()
    assert max(map(len, table)) < 200
    assert [line.split()[0] for line in table[1:]] == [
        "reports/baseline/metrics.json",
        "reports/metrics.json",
        "reports/task_metrics.json",
    ]


def test_a_change_runs_what_follows_and_nothing_else(finished: Path) -> None:
    before = set_params(finished, {"head.lstm.hidden": 16})
    assert reproduce(finished) == ["error_page", "evaluate", "plots_page", "submit", "train"]
    (finished / "params.yaml").write_text(before, encoding="utf-8")
    assert reproduce(finished) == []  # the results of before come from the cache


WRONG = (
    (
        "  lstm:\n",
        "  lstm:\n    units: 128\n",
        "error: params.yaml: head.lstm.units: no such key (keys: layers, hidden)",
    ),
    ("  tags: iob", "  tags: bio", "error: params.yaml: head.tags: Input should be 'iob' or 'iobx' (got 'bio')"),
    ("runtime:", "running:", "error: params.yaml: unknown section running"),
)
READERS = ("prepare", "extract", "train", "baseline", "evaluate", "lemmatize", "link", "submit")
"""Stages that read params. They all call the same function, so each is started with one wrong param in turn."""


@pytest.mark.parametrize(
    ("stage", "old", "new", "message"), [(stage, *WRONG[i % len(WRONG)]) for i, stage in enumerate(READERS)]
)
def test_a_wrong_param_is_one_line_and_exit_code_2_in_every_stage(
    tmp_path: Path, stage: str, old: str, new: str, message: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert params.count(old) == 1
    (tmp_path / "params.yaml").write_text(params.replace(old, new), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)  # stages replace it
    with pytest.raises(SystemExit) as stop:
        start(stage)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert len(said.splitlines()) == 1


def test_a_stage_that_is_started_as_a_program_ends_in_the_same_way(tmp_path: Path) -> None:
    params = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("runtime:", "running:")
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    command = [sys.executable, "-m", "stages.prepare"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment(), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: params.yaml: unknown section running")
    assert len(done.stderr.splitlines()) == 1
