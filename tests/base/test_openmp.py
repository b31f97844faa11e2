"""How OpenMP's threads wait: set at the start of a stage or command, before torch is imported, and nowhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

STARTS = {
    "stage": ["-m", "stages.train"],  # stops at params.yaml, which is absent, after torch is imported
    "command": [
        "-m",
        "ner_head.cli.main",
        "predict",
        "--text",
        "x",
        "--model",
        ".",
    ],  # stops at the empty manifest
    "library": ["-c", "import ner_head.cli.main, stages.train"],
}


def spins(start: str, folder: Path, **environment: str) -> set[int]:
    """How long OpenMP's threads spin before they sleep, as each loaded OpenMP library prints it."""
    (folder / "manifest.json").touch()
    clean = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    done = subprocess.run(
        [sys.executable, *STARTS[start]],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "verbose", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {int(number) for number in re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)}
    if not found:
        pytest.skip("this torch has another OpenMP than GNU's")
    return found


@pytest.mark.parametrize("start", ["stage", "command"])
def test_threads_of_a_stage_or_command_sleep_while_they_wait(start: str, tmp_path: Path) -> None:
    assert spins(start, tmp_path) == {0}


def test_the_users_setting_is_kept(tmp_path: Path) -> None:
    assert min(spins("stage", tmp_path, OMP_WAIT_POLICY="active")) > 0


def test_a_library_that_is_imported_sets_nothing(tmp_path: Path) -> None:
    assert min(spins("library", tmp_path)) > 0


def test_no_import_sets_an_environment_variable() -> None:
    code = (
        "import os; before = dict(os.environ); import ner_head.cli.main, stages.train; "
        "print(sorted(before.items() ^ os.environ.items()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
