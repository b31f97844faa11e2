from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field

from ner_head.base.errors import DataError, NerHeadError, ResourceError, UsageError
from ner_head.base.params import Params, class_of, read_params
from ner_head.base.runtime import RuntimeParams
from ner_head.baseline import BaselineParams
from ner_head.features.extraction.params import EncoderParams
from ner_head.head.params import HeadParams
from ner_head.preparation.prepare import PrepareParams
from ner_head.training.params import TrainingParams
from tests.conftest import ROOT


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
    assert message(path) == f"{path}: head.lstm.hiden: no such key, did you mean hidden? (keys: hidden)"


def test_a_wrong_type_is_one_line_with_file_and_dotted_path(tmp_path: Path) -> None:
    path = written(tmp_path, "head: {lstm: {hidden: '4'}}")
    assert message(path) == f"{path}: head.lstm.hidden: Input should be a valid integer (got '4')"


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "head: {lstm: {hidden: 0}, x: 1}")
    assert (
        message(path)
        == f"{path}: head.lstm.hidden: Input should be greater than 0 (got 0); head.x: no such key (keys: rate, lstm)"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "haed: {}",
            "unknown section haed; sections are prepare, encoder, head, training, baseline, lemmatize, link, runtime",
        ),
        (
            "- head",
            "expected sections (prepare, encoder, head, training, baseline, lemmatize, link, runtime), got list",
        ),
        ("head: [", "not valid YAML: "),
    ],
)
def test_a_file_of_another_shape_says_what_was_expected(tmp_path: Path, content: str, expected: str) -> None:
    path = written(tmp_path, content)
    assert message(path).startswith(f"{path}: {expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("training: {epochz: 5}", "training.epochz: no such key, did you mean epochs? (keys: epochs, most_steps, "),
        ("runtime: {threads: -1}", "runtime.threads: Input should be greater than or equal to 0 (got -1)"),
        ("encoder: {dtype: float8}", "encoder.dtype: Input should be 'float16', 'bfloat16', 'float32' or 'int8'"),
        ("baseline: {c3: 1.0}", "baseline.c3: no such key"),
        ("prepare: {source: x, format: jsonl, splits: {trian: [a]}}", "prepare.splits.train: Field required"),
        ('training: {"a\\nb": 5}', r"training.a\nb: no such key"),
        ("training: {" + "k" * 999 + ": 5}", "training." + "k" * 37 + "..."),
        ("prepare: [a]", "prepare: Input should be a valid dictionary or instance of PrepareParams (got ['a'])"),
    ],
)
def test_the_sections_of_other_stages_are_checked_too(tmp_path: Path, content: str, expected: str) -> None:
    path = written(tmp_path, f"head: {{}}\n{content}\n")
    assert message(path).startswith(f"{path}: {expected}")


def test_what_is_wrong_in_several_sections_is_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "runtime: {threads: -1}\nhead: {x: 1}\ntraining: {epochs: 0}\n")
    line = message(path)
    assert [part.split(":")[0] for part in line.removeprefix(f"{path}: ").split("; ")] == [
        "head.x",
        "runtime.threads",
        "training.epochs",
    ]


def test_a_number_where_a_text_is_expected_says_to_quote_it(tmp_path: Path) -> None:
    path = written(tmp_path, "runtime: {pool: 2019}")
    assert message(path) == f'{path}: runtime.pool: Input should be a valid string (got 2019); write "2019" in quotes'


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("prepare", PrepareParams),
        ("encoder", EncoderParams),
        ("head", HeadParams),
        ("training", TrainingParams),
        ("baseline", BaselineParams),
        ("runtime", RuntimeParams),
    ],
)
def test_every_section_has_its_class_and_the_projects_params_are_right(section: str, model: type[Params]) -> None:
    assert class_of(section) is model
    assert isinstance(read_params(ROOT / "params.yaml", section, model), model)


def test_checking_all_sections_imports_neither_torch_nor_h5py() -> None:
    code = (
        "import sys; from pathlib import Path; from ner_head.base.params import read_params, class_of;"
        f"read_params(Path({str(ROOT / 'params.yaml')!r}), 'prepare', class_of('prepare'));"
        "print({'torch', 'h5py', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_folder_or_a_deep_file_is_one_line(tmp_path: Path) -> None:
    assert message(tmp_path) == f"{tmp_path}: Is a directory; a file of params is expected"
    deep = written(tmp_path, "head: " + "[" * 5000 + "]" * 5000)
    assert message(deep) == f"{deep}: not valid YAML: nested too deep"
    deep.write_bytes(b"head: \xff")
    assert "not valid YAML: 'utf-8' codec" in message(deep)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    assert message(path) == f"{path}: no such file; run from the project's root"


def test_params_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Head().rate = 1.0  # type: ignore[misc]


def test_exit_codes_tell_usage_data_and_resources_apart() -> None:
    assert [error.exit_code for error in (NerHeadError, UsageError, DataError, ResourceError)] == [3, 2, 3, 4]


def test_a_single_head_keeps_its_seed_and_committees_share_none() -> None:
    assert TrainingParams(seed=7).members() == [TrainingParams(seed=7)]
    seeds = [[each.seed for each in TrainingParams(seed=seed, committee=3).members()] for seed in range(3)]
    assert seeds == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert {each.committee for each in TrainingParams(committee=3).members()} == {1}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (f"head: {{lstm: {{hidden: {10**30}}}}}", "head.lstm.hidden"),
        (f"runtime: {{threads: -{10**30}}}", "runtime.threads"),
        (f"head: {{rate: [1, {2**63}]}}", "head.rate.1"),
        (f"head: {{lstm: {{hidden: 0x{'f' * 5000}}}}}", "head.lstm.hidden"),
    ],
)
def test_a_number_that_64_bits_cannot_hold_is_refused(tmp_path: Path, content: str, place: str) -> None:
    found = message(written(tmp_path, content))
    assert found.endswith(f"{place}: the number has too many digits; give one that 64 bits can hold")


def test_a_value_of_any_length_is_shown_in_short(tmp_path: Path) -> None:
    assert len(message(written(tmp_path, f"head: {'a' * 100_000}"))) < 300
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    laughs = "prepare:\n" + "".join(f"  {line}\n" for line in laughs.splitlines()) + "head: {rate: *i}\n"
    assert len(message(written(tmp_path, laughs))) < 3000
