"""`dvc.yaml`: the dependencies are the imports, and a change re-runs what it must and nothing else."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc_data.hashfile.meta import Meta
from ruamel.yaml import YAML

from ner_head.baseline import BaselineParams
from ner_head.evaluation.bsnlp import score_directories
from ner_head.features.extraction.params import EncoderParams
from ner_head.head.params import HeadParams
from ner_head.lemmas.params import LemmaParams
from ner_head.linking.params import LinkParams
from ner_head.preparation.prepare import PrepareParams
from ner_head.training.params import TrainingParams
from tests.conftest import ROOT

PIPELINE = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = sorted(PIPELINE["stages"])


def files_of(module: str) -> set[Path]:
    """A module's file and the `__init__.py` of every package around it."""
    parts, found = module.split("."), set()
    for depth in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:depth])
        found |= {path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()}
    return found


def named_in(path: Path) -> set[str]:
    """Every module of the project that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            package = path.parent.name if node.level else ""  # the stages import by relative names
            module = ".".join(filter(None, (package, node.module)))
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("ner_head", "stages")}


def imported(stage: str) -> set[str]:
    """The import closure of a stage; packages whose `__init__.py` computes nothing are left out (`is_inert`)."""
    todo, seen = files_of(f"stages.{stage}"), set()
    while todo:
        path = todo.pop()
        seen.add(path)
        if path != ROOT / "ner_head/__init__.py":  # imports when it is asked for the recognizer or the version
            todo |= {file for name in named_in(path) for file in files_of(name)} - seen
    return {str(path.relative_to(ROOT)) for path in seen if not is_inert(path)}


def is_inert(path: Path) -> bool:
    """Whether a file is the `__init__.py` of a package that a stage's outputs cannot depend on."""
    if path.name != "__init__.py" or path.parent.name == "stages":
        return False
    return path == ROOT / "ner_head/__init__.py" or len(ast.parse(path.read_text(encoding="utf-8")).body) == 1


def covers(dependency: str, file: str) -> bool:
    """Whether a file is a dependency, or in a folder that is one."""
    return Path(file).is_relative_to(dependency)


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_imports_is_in_its_dependencies_and_none_is_without_use(stage: str) -> None:
    listed = [name for name in PIPELINE["stages"][stage]["deps"] if name.startswith(("ner_head", "stages"))]
    files = imported(stage)
    assert [file for file in files if not any(covers(dependency, file) for dependency in listed)] == []
    assert [dependency for dependency in listed if not any(covers(dependency, file) for file in files)] == []


CRF, ENCODER = "ner_head/head/crf/layer.py", "ner_head/features/extraction/encoder.py"


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        (CRF, {"train", "evaluate"}),
        (ENCODER, {"extract"}),
        ("ner_head/features/store/shard.py", {"extract", "train", "evaluate", "lemmatize", "link", "submit"}),
        ("ner_head/formats/conll.py", {"prepare"}),
        ("ner_head/lemmas/network.py", {"lemmatize", "submit"}),
        ("ner_head/linking/pairs.py", {"link", "submit"}),
        ("ner_head/namer.py", set()),
        ("ner_head/baseline.py", {"baseline"}),
        ("ner_head/pages/assets/page.css", {"error_page", "plots_page"}),
        ("ner_head/cards/card.py", {"evaluate"}),
        ("ner_head/comparison.py", set()),
        ("ner_head/recognizer.py", set()),
        ("ner_head/prediction/writers.py", set()),
        ("ner_head/cli/main.py", set()),
        ("ner_head/server/app.py", set()),
        ("ner_head/onnx/export.py", set()),
        ("ner_head/probing/dataset.py", set()),
        ("ner_head/integrations/spacy.py", set()),
        ("ner_head/__init__.py", set()),
        ("pyproject.toml", set()),
    ],
)
def test_a_file_is_a_dependency_of_the_stages_that_it_decides(file: str, stages: set[str]) -> None:
    found = {s for s in STAGES if any(covers(dependency, file) for dependency in PIPELINE["stages"][s]["deps"])}
    assert found == stages


def test_the_dependencies_on_code_are_few() -> None:
    deps = [name for stage in PIPELINE["stages"].values() for name in stage["deps"]]
    assert len([name for name in deps if name.startswith(("ner_head", "stages"))]) <= 70


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another(stage: str) -> None:
    assert {file for file in imported(stage) if file.startswith("stages/")} == {
        "stages/__init__.py",
        f"stages/{stage}.py",
    }


def test_no_stage_depends_on_how_it_is_run() -> None:
    tracked = {name for stage in PIPELINE["stages"].values() for name in stage.get("params", [])}
    assert tracked == {"prepare", "encoder", "head", "training", "baseline", "lemmatize", "link"}


@pytest.fixture(scope="module")
def project(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with the pipeline, the tiny encoder, and two documents a topic and language."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("ner_head", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(tiny_encoder, folder / "encoders/multilingual-e5-small")
    for kind, suffix in (("raw", "txt"), ("annotated", "out")):
        for topic in ("railway", "satellite"):
            for language in ("cs", "ru"):
                for number in ("01", "02"):
                    path = Path(kind, topic, language, f"{topic}_{language}_{number}.{suffix}")
                    (folder / "data/sample" / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / "data/sample" / path, folder / "data/sample" / path)
    shutil.copy(ROOT / "params.yaml", folder)
    set_params(folder, {"prepare.languages": ["cs", "ru"], "training.epochs": 1})
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
    """Commands of this very interpreter's environment."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}


def reproduce(project: Path) -> list[str]:
    """Run `dvc repro`; the stages that ran."""
    done = subprocess.run(["dvc", "repro"], cwd=project, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]


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


def test_a_change_runs_only_the_stages_it_concerns(project: Path) -> None:
    first = ["prepare", "extract", "train", "baseline", "evaluate", "lemmatize", "link", "submit", "error_page"]
    first.append("plots_page")
    assert sorted(reproduce(project)) == sorted(first)
    assert (project / "reports/task.json").is_file()
    metrics = json.loads((project / "reports/metrics.json").read_text(encoding="utf-8"))
    assert set(metrics) == {"f1", "precision", "recall", "macro_f1", "task_f1", "language", "ece", "gain"}
    details = json.loads((project / "reports/details.json").read_text(encoding="utf-8"))
    results = (project / "reports/results.md").read_text(encoding="utf-8")
    assert "| head precision | recall | F1 (95 %) | baseline precision |" in results
    task = score_directories(project / "data/sample/annotated", project / "reports/bsnlp")
    assert details["bsnlp_strict"]["all"] == task["strict"]["all"]
    assert reproduce(project) == []

    set_params(project, {"runtime.batch_pieces": 2048})
    assert reproduce(project) == []

    set_params(project, {"head.lstm.hidden": 16})
    assert sorted(reproduce(project)) == ["error_page", "evaluate", "plots_page", "submit", "train"]

    set_params(project, {"baseline.iterations": 1})
    ran = reproduce(project)
    assert ran[0] == "baseline"
    assert "train" not in ran

    set_params(project, {"encoder.shard_words": 100})
    ran = reproduce(project)
    assert ran[0] == "extract"
    assert "prepare" not in ran

    crf = project / "ner_head/head/crf/layer.py"
    crf.write_text(f"# again\n{crf.read_text(encoding='utf-8')}", encoding="utf-8")
    ran = reproduce(project)
    assert ran[0] == "train"
    assert "baseline" not in ran

    shown = subprocess.run(
        ["dvc", "metrics", "show"], cwd=project, capture_output=True, text=True, env=environment(), check=True
    )
    assert max(map(len, shown.stdout.splitlines())) < 200
    shown = (project / "reports/plots.html").read_text(encoding="utf-8")
    titles = ["Learning curve", "Weight of each encoder layer", "Gold against predicted types", "Precision against"]
    assert [title for title in [*titles, "Are predicted spans as often right"] if title not in shown] == []
    page = (project / "reports/errors.html").read_text(encoding="utf-8")
    assert '"id":"cs-1","topic":"satellite"' in page
    (project / "ner_head/pages/assets/page.css").write_text("", encoding="utf-8")
    assert reproduce(project) == ["error_page", "plots_page"]


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
    tmp_path: Path, stage: str, old: str, new: str, message: str
) -> None:
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert params.count(old) == 1
    (tmp_path / "params.yaml").write_text(params.replace(old, new), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**environment(), "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("stage", ["prepare", "extract"])
def test_what_only_checks_the_params_of_training_does_not_depend_on_it(stage: str) -> None:
    listed = PIPELINE["stages"][stage]["deps"]
    assert not [name for name in listed if name.startswith(("ner_head/head", "ner_head/training", "ner_head/baseline"))]
