"""`make test-matrix`: what it installs, what it runs, and what it makes of a run."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def matrix() -> ModuleType:
    spec = importlib.util.spec_from_file_location("test_matrix_tool", ROOT / "tools/test_matrix.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tests_that_it_names_exist(matrix: ModuleType) -> None:
    for name in matrix.TESTS:
        path, _, test = name.partition("::")
        functions = [n.name for n in ast.parse((ROOT / path).read_text("utf-8")).body if isinstance(n, ast.FunctionDef)]
        assert test in ("", *functions), name


def test_the_tools_of_the_tests_have_the_bounds_of_the_project(matrix: ModuleType) -> None:
    lines = matrix.requirements().splitlines()
    assert [line.partition(">=")[0] for line in lines] == ["httpx", "hypothesis", "pytest"]
    assert all(f'"{line}"' in (ROOT / "pyproject.toml").read_text("utf-8") for line in lines)


@pytest.mark.parametrize(
    ("code", "output", "expected"),
    [
        (0, "..\n12 passed, 1 skipped in 3.1s\n", ("passed", "12 passed, 1 skipped")),
        (0, "1 skipped in 3.1s\n", ("failed", "1 skipped")),
        (5, "no tests ran in 0.1s\n", ("failed", "pytest ended with 5")),
        (
            1,
            "FAILED tests/a.py::test_b - KeyError: 'x'\n1 failed, 2 passed in 1s\n",
            ("failed", "1 failed, 2 passed; FAILED tests/a.py::test_b"),
        ),
        (2, "ERROR tests/a.py\n1 error in 1s\n", ("failed", "1 error; ERROR tests/a.py")),
        (-11, "", ("failed", "pytest ended with -11")),
    ],
)
def test_only_a_run_with_passing_tests_has_passed(
    matrix: ModuleType, code: int, output: str, expected: tuple[str, str]
) -> None:
    assert matrix.outcome(code, output) == expected


def test_an_absent_python_is_named_and_makes_no_pass(
    matrix: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(matrix.shutil, "which", lambda name: str(tmp_path / "uv") if name == "uv" else None)
    monkeypatch.setattr(matrix.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(matrix.subprocess, "run", lambda command, check: Path(command[1], "ner_head.whl").touch())
    monkeypatch.setattr(sys, "argv", ["test_matrix", "--python", "3.99", "--versions", "lowest"])
    with pytest.raises(SystemExit) as stop:
        matrix.main()
    assert stop.value.code == 1
    assert capsys.readouterr().out.splitlines()[2] == "| 3.99 | lowest | not run | no python3.99 on the path |"
