"""Stage `evaluate`: what it reads of the baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.corpus.results import judged
from ner_head.evaluation.report import metrics, to_json
from stages import evaluate

DAMAGED = r"details\.json: not the scores of the baseline \(.*\); run `dvc repro -f baseline`$"


@pytest.mark.parametrize("content", [b'{"dev": ', b"[]", b"\xff"])
def test_scores_of_the_baseline_that_are_no_json_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / "details.json"
    path.write_bytes(content)
    monkeypatch.setattr(evaluate, "BASELINE_SCORES", path)
    with pytest.raises(DataError, match=DAMAGED):
        evaluate.read_baseline()


def test_scores_of_the_baseline_with_another_key_are_one_line(documents: list[Document]) -> None:
    """One flipped bit makes another key."""
    right = metrics(documents, judged(documents, documents), set())
    assert "baseline" in evaluate.beside_baseline("dev", right, {"dev": right})
    broken: Any = json.loads(to_json({"dev": right}).replace('"f1"', '"f0"'))
    with pytest.raises(DataError, match=DAMAGED):
        evaluate.beside_baseline("dev", right, {"dev": broken})
    with pytest.raises(DataError, match=DAMAGED):
        evaluate.beside_baseline("dev", right, {})
