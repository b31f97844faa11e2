"""Stage `train`: a run whose process is killed, and then run again, ends with the files of an uninterrupted run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import params as experiments
from ner_head.corpus.records import read_documents, write_documents
from stages import extract, prepare, train
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
        path = folder / "data/prepared/train.jsonl"  # with two labels: see small_corpus.py
        documents = [
            replace(d, spans=tuple(s for s in d.spans if s.label in ("LOC", "PER"))) for d in read_documents(path)
        ]
        write_documents(path, documents)
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


def copied(prepared: Path, folder: Path, committee: int) -> Path:
    """A copy of the project that trains for 12 epochs."""
    shutil.copytree(prepared, folder)
    set_epochs(folder, 12)
    set_committee(folder, committee)
    return folder


def trained(folder: Path) -> None:
    """Run the stage in this process, which takes less time than another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train.main()
    assert not list((folder / "data/training").iterdir())


@pytest.mark.parametrize(
    ("committee", "n_whole"), [(1, 0), (2, 3)], ids=["in the only head", "in the last head for the temperatures"]
)
def test_a_run_that_is_killed_ends_in_the_same_files(
    prepared: Path, committee: int, n_whole: int, tmp_path: Path
) -> None:
    """`n_whole` heads are finished when the process is killed, and the next one has trained for three epochs."""
    uninterrupted = copied(prepared, tmp_path / "uninterrupted", committee)
    trained(uninterrupted)
    killed, killed_after = copied(prepared, tmp_path / "killed", committee), 12 * n_whole + 3
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
    assert len(list((killed / "data/training").glob("*.safetensors"))) == 1 + n_whole
    process = started(killed)  # the key of a checkpoint has the modules of the program
    assert process.stderr is not None
    lines = process.stderr.read().splitlines()
    assert process.wait() == 0
    assert not list((killed / "data/training").iterdir())
    told = [f"epoch {n}/12" for n in range(1, 13)]
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == (told * 2 * committee)[killed_after:]
    resumed = [line for line in lines if line.startswith("resuming")]
    assert resumed == [f"resuming after epoch {n}/12" for n in [*["12"] * n_whole, "3"]]
    assert contents(killed) == contents(uninterrupted)


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
