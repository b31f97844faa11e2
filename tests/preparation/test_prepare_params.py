from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.base.errors import UsageError
from ner_head.base.params import read_params
from ner_head.preparation.prepare import PrepareParams


def params_error(tmp_path: Path, content: str) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_params(path, "prepare", PrepareParams)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ("{train: []}", "prepare.splits.train: List should have at least 1 item"),
        ("{dev: [a]}", "prepare.splits.train: Field required"),
        ("{train: [a], dev: [a]}", "prepare.splits: Value error, 'a' is in train and in dev"),
        ("{train: [a, a]}", "prepare.splits: Value error, 'a' is in train and in train"),
        ("{train: [a], validation: [b]}", "prepare.splits.validation: no such key"),
        ("{train: a}", "prepare.splits.train: Input should be a valid list"),
    ],
)
def test_splits_are_checked(tmp_path: Path, splits: str, expected: str) -> None:
    content = f"prepare: {{source: x, format: jsonl, splits: {splits}}}"
    assert params_error(tmp_path, content).startswith(expected)


def test_an_unknown_format_names_those_there_are(tmp_path: Path) -> None:
    content = "prepare: {source: x, format: conllu, splits: {train: [a]}}"
    assert params_error(tmp_path, content).startswith(
        "prepare.format: Input should be 'bsnlp2019', 'slavicner', 'conll' or 'jsonl' (got 'conllu')"
    )


def test_names_of_digits_are_names(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("prepare: {source: x, format: conll, splits: {train: [2019], dev: ['2020']}}")
    splits = read_params(path, "prepare", PrepareParams).splits
    assert (splits.train, splits.dev) == (["2019"], ["2020"])


@pytest.mark.parametrize("name", ["2019.5", "2019-01-02", "true"])
def test_other_values_have_to_be_quoted(tmp_path: Path, name: str) -> None:
    content = f"prepare: {{source: x, format: conll, splits: {{train: [{name}]}}}}"
    message = params_error(tmp_path, content)
    assert message.startswith("prepare.splits.train.0: Value error, must be a name; put it in quotes: '")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            "format: jsonl, columns: {word: 1}",
            "prepare: Value error, columns are params of format conll; the format is",
        ),
        (
            "format: conll, columns: {word: 2, tag: 2}",
            "prepare.columns: Value error, words and tags are in two columns",
        ),
        ("format: conll, columns: {tag: -1}", "prepare.columns.tag: Input should be greater than or equal to 0"),
        ("format: conll, columns: {tags: 1}", "prepare.columns.tags: no such key"),
    ],
)
def test_columns_that_cannot_be_are_named(tmp_path: Path, columns: str, expected: str) -> None:
    assert params_error(tmp_path, f"prepare: {{source: x, {columns}, splits: {{train: [a]}}}}").startswith(expected)
