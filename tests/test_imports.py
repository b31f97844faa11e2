"""Imports run one way (docs/architecture.md), and one module each knows transformers, h5py and dask."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = [
    {"errors", "params", "entry", "openmp"},
    {"corpus"},
    {"runtime", "features"},
    {"head"},
    {"posterior", "tagger", "predictions", "saved_model", "baseline"},
    {"evaluation"},
    {"training", "recognizer"},
    {"cli_features"},
    {"cli"},
]
APART = [("head", "features"), ("features", "head"), ("recognizer", "training"), ("predictions", "training")]
FILES = sorted((ROOT / "ner_head").rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(ROOT / "ner_head").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def level(name: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if name in layer)


@pytest.mark.parametrize("path", [p for p in FILES if part(p) != "__init__"], ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    inner = {name.split(".")[1] for name in imports(path) if name.startswith("ner_head.")}
    assert all(level(name) <= level(part(path)) for name in inner)
    assert not [name for name in inner if (part(path), name) in APART]
    assert not {name for name in imports(path) if name.split(".")[0] == "stages"}


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("transformers", {"features/families.py", "features/gguf_weights.py"}),
        ("huggingface_hub", {"features/checkpoints.py"}),
        ("h5py", {"features/shard.py", "features/shard_writer.py", "features/hewitt.py"}),
        ("dask", {"features/cluster.py"}),
        ("distributed", {"features/cluster.py", "features/workers.py"}),
        ("pycrfsuite", {"baseline.py"}),
    ],
)
def test_a_library_is_known_to_the_modules_meant_for_it(library: str, homes: set[str]) -> None:
    users = {str(p.relative_to(ROOT / "ner_head")) for p in FILES if library in {n.split(".")[0] for n in imports(p)}}
    assert users == homes


def test_nothing_unpickles() -> None:
    for path in FILES:
        assert not {"pickle", "cloudpickle", "joblib"} & {name.split(".")[0] for name in imports(path)}
        assert "torch.load(" not in path.read_text(encoding="utf-8")


def test_corpus_imports_neither_torch_nor_h5py() -> None:
    for path in FILES:
        if part(path) == "corpus":
            assert not {"torch", "h5py", "transformers"} & {name.split(".")[0] for name in imports(path)}
