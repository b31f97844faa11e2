"""A stage does not run twice at once in a project, whoever started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import stages
from ner_head.base.errors import ResourceError
from tests.conftest import ROOT

HOLDER = """
import sys
import stages
with stages.alone("train"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_stage_that_runs_already_is_refused_until_its_process_has_ended(project: Path) -> None:
    """The process may be of another container, or its DVC was killed: DVC looks for process ids only."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=project,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(ResourceError, match=r"^stage train is running already in .*; wait until it ends"),
            stages.alone("train"),
        ):
            pass
        with stages.alone("extract"):
            pass
        other.kill()
        other.wait()
    with stages.alone("train"):
        pass


def test_without_a_folder_of_dvc_nothing_is_locked_and_nothing_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with stages.alone("train"), stages.alone("train"):
        assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_stage_is_not_hidden_by_its_lock(project: Path) -> None:
    with pytest.raises(FileNotFoundError), stages.alone("train"):
        (project / "absent").read_bytes()
