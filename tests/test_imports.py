"""Imports run one way (docs/architecture.md), and one module each knows transformers, h5py and dask."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOORS = [
    {"base"},
    {"corpus", "models"},
    {"formats", "features.store", "evaluation.measures", "baseline", "bert"},
    {"preparation", "features.extraction", "head", "evaluation", "pages", "comparison", "lemmas", "linking"},
    {"inference", "prediction", "probing", "checks", "namer"},
    {"training", "recognizer", "onnx", "project", "cards", "conversion"},
    {"bundles", "server", "integrations", "folds", "curation"},
    {"cli"},
]
"""Each part of the package imports from its own floor and those before it."""
APART = [
    ("head", "features.store"),
    ("head", "features.extraction"),
    ("features.store", "head"),
    ("features.extraction", "head"),
    ("inference", "features.extraction"),
    ("recognizer", "training"),
    ("server", "training"),
    ("evaluation", "head"),
    ("evaluation", "inference"),
]
FILES = sorted((ROOT / "ner_head").rglob("*.py"))


def part(name: str) -> str:
    """The part of a dotted name inside of `ner_head`: its longest prefix among the floors."""
    known = set().union(*FLOORS)
    words = name.split(".")
    found = [".".join(words[:n]) for n in (2, 1) if ".".join(words[:n]) in known]
    return found[0] if found else name


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "ner_head").with_suffix("").parts)


def imports(path: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def floor(name: str) -> int:
    return next(i for i, parts in enumerate(FLOORS) if name in parts)


@pytest.mark.parametrize("path", [p for p in FILES if dotted(p) not in ("__init__", "features.__init__")], ids=dotted)
def test_imports_run_one_way(path: Path) -> None:
    mine = part(dotted(path))
    inner = {part(name.removeprefix("ner_head.")) for name in imports(path) if name.startswith("ner_head.")}
    assert [name for name in inner if floor(name) > floor(mine)] == []
    assert [name for name in inner if (mine, name) in APART] == []
    assert not {name for name in imports(path) if name.split(".")[0] == "stages"}


def test_the_parts_form_no_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for path in FILES:
        if dotted(path) not in ("__init__", "features.__init__"):
            mine = part(dotted(path))
            inner = {part(name.removeprefix("ner_head.")) for name in imports(path) if name.startswith("ner_head.")}
            arrows.setdefault(mine, set()).update(inner - {mine})
    while arrows:
        ends = {name for name, targets in arrows.items() if not targets & set(arrows)}
        assert ends, f"a circle among {sorted(arrows)}"
        arrows = {name: targets for name, targets in arrows.items() if name not in ends}


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("transformers", {"features/extraction/transformers_network.py"}),
        ("huggingface_hub", {"features/extraction/checkpoints.py"}),
        ("h5py", {"features/store/shard.py", "features/store/shard_writer.py", "probing/hewitt.py"}),
        ("dask", {"features/extraction/cluster.py"}),
        ("distributed", {"features/extraction/cluster.py", "features/extraction/workers.py"}),
        ("pycrfsuite", {"baseline.py"}),
        ("uvicorn", {"server/connection.py", "server/run.py"}),
        ("onnxruntime", {"onnx/recognizer.py"}),
        ("spacy", {"conversion/spacy_docs.py", "integrations/spacy.py"}),
        ("cassis", {"conversion/xmi.py"}),
    ],
)
def test_a_library_is_known_to_the_modules_meant_for_it(library: str, homes: set[str]) -> None:
    users = {str(p.relative_to(ROOT / "ner_head")) for p in FILES if library in {n.split(".")[0] for n in imports(p)}}
    assert users == homes


def test_nothing_unpickles() -> None:
    for path in FILES:
        assert not {"pickle", "cloudpickle", "joblib"} & {name.split(".")[0] for name in imports(path)}
        assert "torch.load(" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "plain", ["base", "corpus", "formats", "preparation", "evaluation", "pages", "prediction", "conversion"]
)
def test_text_and_scores_need_neither_torch_nor_h5py(plain: str) -> None:
    for path in FILES:
        if dotted(path).split(".")[0] == plain and dotted(path) != "base.runtime":
            assert not {"torch", "h5py", "transformers"} & {name.split(".")[0] for name in imports(path)}
