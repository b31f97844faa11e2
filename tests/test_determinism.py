"""Hash seed, locale, time zone and umask change no byte. `make faults` compares the whole pipeline."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reliability.determinism import make_locales
from benchmarks.reliability.small_project import environment, tree
from tests.conftest import ROOT

STAGES = ("prepare", "baseline")  # those that do not import torch
PARAMS = """
prepare:
  source: sample
  format: bsnlp2019
  languages: [cs]
  splits: {train: [railway], dev: [satellite]}
baseline:
  iterations: 20
"""


def outputs(folder: Path, *, umask: int = 0o022, **env: str) -> dict[str, str]:
    """Run the stages in a new folder; digests of what they wrote."""
    for kind, suffix in (("raw", "txt"), ("annotated", "out")):
        for topic in ("railway", "satellite"):
            path = Path(kind, topic, "cs", f"{topic}_cs_01.{suffix}")
            (folder / "sample" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "data/sample" / path, folder / "sample" / path)
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    for stage in STAGES:
        done = subprocess.run(
            [sys.executable, "-m", f"stages.{stage}"],
            cwd=folder,
            env=environment(PYTHONPATH=str(ROOT), **env),
            umask=umask,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return tree(folder)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return outputs(tmp_path_factory.mktemp("expected"))


def test_hash_seed_plain_locale_time_zone_and_umask_change_no_byte(tmp_path: Path, expected: dict[str, str]) -> None:
    assert len(expected) > 10
    env = {"PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Kolkata"}
    assert outputs(tmp_path, umask=0o077, **env) == expected


def test_a_locale_of_another_encoding_changes_no_byte(tmp_path: Path, expected: dict[str, str]) -> None:
    if "ru_RU.KOI8-R" not in make_locales(tmp_path / "locales", "ru_RU.KOI8-R"):
        pytest.skip("localedef has no sources of ru_RU.KOI8-R")
    folder = tmp_path / "проект с пробелом"
    env = {"LC_ALL": "ru_RU.KOI8-R", "LOCPATH": str(tmp_path / "locales"), "PYTHONUTF8": "0"}
    assert outputs(folder, **env) == expected
