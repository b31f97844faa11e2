"""`dvc.yaml` against the code: the dependencies of a stage are what it imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

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


@pytest.mark.parametrize("stage", ["prepare", "extract"])
def test_what_only_checks_the_params_of_training_does_not_depend_on_it(stage: str) -> None:
    listed = PIPELINE["stages"][stage]["deps"]
    assert not [name for name in listed if name.startswith(("ner_head/head", "ner_head/training", "ner_head/baseline"))]
