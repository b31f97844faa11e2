"""A project with features of the sample's Czech documents, by the tiny encoder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from experiments import params as experiments
from stages import extract, prepare
from tests.conftest import ROOT

CHANGES = [
    "prepare.languages=[cs]",
    "prepare.splits.train=[railway/cs/cs-1*, railway/cs/cs-2*]",
    "runtime.device=cpu",
    "runtime.progress=none",
    "head.lstm.hidden=8",
    "head.words.buckets=1000",
    "head.attention.layers=0",
    "training.epochs=2",
    "training.held_out=0",
]


@pytest.fixture(scope="package")
def project(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with params.yaml, 22 train and 12 dev documents, and their features."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "params.yaml", folder)
    changes = [*CHANGES, f"prepare.source={ROOT / 'data/sample'}", f"encoder.model={tiny_encoder}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["params", *changes])
        experiments.main()
        prepare.main()
        extract.main()
    return folder
