from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from ner_head.errors import DataError, NerHeadError, ResourceError, UsageError
from ner_head.params import Params, read_params


class Layer(Params):
    hidden: int = Field(default=8, gt=0)


class Head(Params):
    rate: float = 0.1
    lstm: Layer = Layer()


def written(folder: Path, content: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def message(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_params(path, "head", Head)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_section_is_read_and_defaults_fill_the_rest(tmp_path: Path) -> None:
    path = written(tmp_path, "head: {lstm: {hidden: 4}}\nencoder: {}\n")
    assert read_params(path, "head", Head) == Head(lstm=Layer(hidden=4))


def test_an_absent_section_is_all_defaults(tmp_path: Path) -> None:
    assert read_params(written(tmp_path, "encoder: {}\n"), "head", Head) == Head()


def test_a_number_with_an_exponent_is_a_number(tmp_path: Path) -> None:
    assert read_params(written(tmp_path, "head: {rate: 1e-3}"), "head", Head).rate == 0.001


def test_a_wrong_key_is_one_line_with_file_and_dotted_path(tmp_path: Path) -> None:
    path = written(tmp_path, "head: {lstm: {hiden: 4}}")
    assert message(path) == f"{path}: head.lstm.hiden: no such key"


def test_a_wrong_type_is_one_line_with_file_and_dotted_path(tmp_path: Path) -> None:
    path = written(tmp_path, "head: {lstm: {hidden: '4'}}")
    assert message(path) == f"{path}: head.lstm.hidden: Input should be a valid integer (got '4')"


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "head: {lstm: {hidden: 0}, x: 1}")
    assert message(path) == f"{path}: head.lstm.hidden: Input should be greater than 0 (got 0); head.x: no such key"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("haed: {}", "unknown section haed; sections are prepare, encoder, head, training, baseline, runtime"),
        ("- head", "expected sections (prepare, encoder, head, training, baseline, runtime), got list"),
        ("head: [", "not valid YAML: "),
    ],
)
def test_a_file_of_another_shape_says_what_was_expected(tmp_path: Path, content: str, expected: str) -> None:
    path = written(tmp_path, content)
    assert message(path).startswith(f"{path}: {expected}")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    assert message(path) == f"{path}: no such file; run from the project's root"


def test_params_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Head().rate = 1.0  # type: ignore[misc]


def test_exit_codes_tell_usage_data_and_resources_apart() -> None:
    assert [error.exit_code for error in (NerHeadError, UsageError, DataError, ResourceError)] == [3, 2, 3, 4]
