"""JSON files beside models and in reports: whatever is in them, one line names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ner_head.base.errors import DataError
from ner_head.evaluation.figures import model_digest, read_figures
from ner_head.integrations.spacy import load_recognizer
from ner_head.onnx.files import read_manifest
from stages import evaluate

DAMAGED = {
    "cut": '{"labels": ["PER"',
    "deep": "[" * 100_000,
    "list": "[1, 2]",
    "null": "null",
    "number": "1e999",
    "bytes": b"\xff\xfe{}",
    "empty": "",
}


def baseline_of(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "BASELINE_SCORES", path)
        evaluate.beside_baseline("dev", {}, evaluate.read_baseline())


READERS: dict[str, Callable[[Path], object]] = {
    "details.json": baseline_of,
    "figures.json": lambda path: read_figures(path, path.parent),
    "manifest.json of a model": lambda path: model_digest(path.parent),
    "manifest.json of an export": lambda path: read_manifest(path.parent),
    "manifest.json for spaCy": lambda path: load_recognizer(str(path.parent), None, "cpu"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("name", READERS)
def test_damaged_json_is_one_line_with_the_file(name: str, content: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / name.split()[0]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        READERS[name](path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("scores", [{}, {"dev": {}}, {"dev": {"all": 1}}, {"dev": []}, {"dev": None}])
def test_scores_of_the_baseline_that_lack_something_are_one_line(scores: object, tmp_path: Path) -> None:
    path = tmp_path / "details.json"
    path.write_text(json.dumps(scores))
    with pytest.raises(DataError, match=r"not the scores of the baseline \(.*run `dvc repro -f baseline`"):
        baseline_of(path)
