"""Stage `train` as a process: an interrupted run ends with the same files as an uninterrupted one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import params as experiments
from stages import extract, prepare
from tests.conftest import ROOT

FILES = ["models/head/model.safetensors", "models/head/manifest.json", "models/last/model.safetensors"]
FILES += ["reports/learning_curve.csv", "reports/layer_weights.csv"]


@pytest.fixture(scope="module")
def prepared(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with params.yaml and the features of two documents of the sample, both to train on."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "params.yaml", folder)
    changes = ["prepare.splits.train=[railway/cs/cs-1, railway/cs/cs-2]", "prepare.splits.dev=[]"]
    changes += [f"prepare.source={ROOT / 'data/sample'}", f"encoder.model={tiny_encoder}", "prepare.languages=[cs]"]
    changes += ["runtime.progress=lines", "runtime.device=cpu", "head.lstm.hidden=8", "head.words.buckets=100"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["params", *changes, "training.epochs=400", "training.batch_size=4"])
        experiments.main()
        prepare.main()
        extract.main()
    return folder


def started(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "stages.train"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # the test process may ignore SIGINT
    )


def set_epochs(folder: Path, number: int) -> None:
    path = folder / "params.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("epochs: 400", f"epochs: {number}"), encoding="utf-8")


def set_committee(folder: Path, size: int) -> None:
    path = folder / "params.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("committee: 1", f"committee: {size}"), encoding="utf-8")


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


@pytest.mark.parametrize(
    ("committee", "killed_after"),
    [(1, 3), (1, 12 + 3), (2, 12 + 3), (2, 36 + 3)],
    ids=["first-head", "head-for-temperatures", "second-of-a-committee", "second-of-a-committee-for-temperatures"],
)
def test_a_run_that_is_killed_ends_in_the_same_files(
    prepared: Path, tmp_path: Path, committee: int, killed_after: int
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        shutil.copytree(prepared, folder)
        set_epochs(folder, 12)
        set_committee(folder, committee)
    assert started(whole).wait() == 0
    assert not list((whole / "data/training").iterdir())
    process = started(killed)
    assert process.stderr is not None
    epochs = 0
    for line in process.stderr:
        epochs += line.startswith("epoch")
        if epochs == killed_after:
            process.kill()
            break
    assert process.wait() == -9
    assert not (killed / "models").exists()
    assert len(list((killed / "data/training").glob("*.safetensors"))) == 1 + killed_after // 12
    process = started(killed)
    assert process.stderr is not None
    lines = process.stderr.read().splitlines()
    assert process.wait() == 0
    told = [f"epoch {n}/12" for n in range(1, 13)]
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == (told * 2 * committee)[killed_after:]
    heads = ["12"] * (killed_after // 12) + ["3"]
    resumed = [line for line in lines if line.startswith("resuming")]
    assert resumed == [f"resuming after epoch {n}/12" for n in heads]
    assert contents(killed) == contents(whole)
    assert not list((killed / "data/training").iterdir())


def test_an_interrupt_is_one_line(prepared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "interrupted"
    shutil.copytree(prepared, folder)
    process = started(folder)
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("epoch 2/"):
            process.send_signal(signal.SIGINT)
            break
    seen += process.stderr.read().splitlines()
    assert process.wait() == 130
    assert seen[-1] == "interrupted; what is finished is kept, and the next run goes on from there"
    assert not [line for line in seen if "Traceback" in line]
