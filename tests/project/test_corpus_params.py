from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.base.errors import UsageError
from ner_head.base.params import read_params
from ner_head.preparation.prepare import PrepareParams
from ner_head.project.corpus_params import choose_splits, write_prepare
from tests.conftest import ROOT

CHANGES = {"source": "c", "format": "jsonl", "languages": [], "splits": {"train": ["*"], "dev": 0.2, "seed": 3}}


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (["dev", "test", "train"], {"train": ["train"], "dev": ["dev"], "test": ["test"]}),
        (["pl-ud-dev", "pl-ud-train"], {"train": ["pl-ud-train"], "dev": ["pl-ud-dev"], "test": []}),
        (["Training", "validation"], {"train": ["Training"], "dev": ["validation"], "test": []}),
        (["train", "test"], {"train": ["*"], "dev": 0.2, "test": [], "seed": 0}),
        (["train", "dev", "other"], {"train": ["*"], "dev": 0.2, "test": [], "seed": 0}),
        (["trainstation", "devil"], {"train": ["*"], "dev": 0.2, "test": [], "seed": 0}),
    ],
)
def test_topics_that_are_called_like_splits_are_the_splits(topics: list[str], expected: dict[str, object]) -> None:
    assert choose_splits(topics) == expected


def test_what_is_asked_for_is_chosen() -> None:
    assert choose_splits(["dev", "train"], ["a"], 0.1, seed=4) == {"train": ["*"], "dev": ["a"], "test": 0.1, "seed": 4}
    assert choose_splits(["a"], [], ["b"]) == {"train": ["*"], "dev": [], "test": ["b"]}


def test_comments_and_other_params_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    before = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    for changes in (CHANGES, {**CHANGES, "splits": {"train": ["a"], "dev": ["b"], "test": []}}):
        write_prepare(path, changes)
        after = path.read_text(encoding="utf-8")
        assert before[before.index("\n\nencoder:") :] == after[after.index("\n\nencoder:") :]
        assert [line for line in before.splitlines() if line.strip().startswith("#")] == [
            line for line in after.splitlines() if line.strip().startswith("#")
        ]
    params = read_params(path, "prepare", PrepareParams)
    assert (params.source, params.format, params.splits.train, params.splits.dev) == ("c", "jsonl", ["a"], ["b"])


def test_columns_of_another_format_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(
        "prepare: {source: x, format: conll, columns: {word: 2, tag: 3}, max_words: 99, splits: {train: [a]}}"
    )
    write_prepare(path, CHANGES)
    params = read_params(path, "prepare", PrepareParams)
    assert (params.columns.word, params.max_words, params.splits.shares) == (0, 99, {"dev": 0.2})


def test_params_that_would_be_wrong_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("prepare: {source: x, format: jsonl, max_words: 1, splits: {train: [a]}}")
    with pytest.raises(UsageError, match=r"params.yaml: prepare.max_words"):
        write_prepare(path, CHANGES)
    assert "source: x" in path.read_text()
