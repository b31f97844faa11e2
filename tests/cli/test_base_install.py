"""The base install, without the libraries of the extras: every command works, or names the extra that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ner_head.corpus.documents import Document
from ner_head.corpus.records import write_documents
from ner_head.features.store.store import FeatureStore
from tests.conftest import ROOT

EXTRAS = (
    "dvc",
    "pycrfsuite",
    "scipy",
    "dask",
    "distributed",
    "fastapi",
    "uvicorn",
    "onnx",
    "onnxruntime",
    "spacy",
    "cassis",
)


def run(code: str, *arguments: str, folder: Path, hide: tuple[str, ...] = EXTRAS) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which the hidden libraries cannot be imported."""
    start = f"import sys; sys.modules.update(dict.fromkeys({hide!r})); sys.argv[0] = 'ner-head'; "
    return subprocess.run(
        [sys.executable, "-c", start + code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        check=False,
    )


@pytest.fixture
def project(documents: list[Document], tiny_encoder: Path, tmp_path: Path) -> Path:
    """A folder with params, a corpus, prepared documents, and gold in the format of the shared task."""
    (tmp_path / "params.yaml").write_text(
        "prepare: {source: corpus.jsonl, format: jsonl, splits: {train: [news]}}\nbaseline: {c2: 1.0}\n"
        f"encoder: {{model: {tiny_encoder}, shard_words: 10}}\nruntime: {{pool: pool, batch_pieces: 256}}\n"
    )
    write_documents(tmp_path / "corpus.jsonl", documents)
    for split in ("train", "dev", "test"):
        write_documents(tmp_path / f"data/prepared/{split}.jsonl", documents)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "predict --text Praha --model MODEL",
        "embed out --text Praha --encoder ENCODER",
        "inspect STORE",
        "verify STORE",
        "inspect STORE --export hewitt out.h5",
        "score GOLD GOLD",
        "convert corpus.jsonl tasks.json --from jsonl --to label-studio",
        "plan --seconds 0",
        "cache list",
        "cache prune",
    ],
)
def test_a_command_needs_no_extra(
    command: str, project: Path, model: Path, store: FeatureStore, tiny_encoder: Path
) -> None:
    places = {"MODEL": model, "STORE": store.directory, "ENCODER": tiny_encoder, "GOLD": ROOT / "data/sample/annotated"}
    arguments = [str(places.get(word, word)) for word in command.split()]
    done = run("from ner_head.cli.main import main; main()", *arguments, folder=project)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_fetch_gets_as_far_as_the_network(tmp_path: Path) -> None:
    done = run("from ner_head.cli.main import main; main()", "fetch", "owner/absent", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("ner-head: encoder 'owner/absent': the hub did not give it")


@pytest.mark.parametrize(
    ("stage", "library", "extra"), [("train", "scipy", "train"), ("baseline", "pycrfsuite", "train")]
)
def test_a_stage_names_the_extra_that_it_needs(stage: str, library: str, extra: str, project: Path) -> None:
    done = run(f"from stages import start; start({stage!r})", folder=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {library} is not installed; install it with: pip install 'ner-head[{extra}]'\n"


@pytest.mark.parametrize("setting", ["workers: 2", "scheduler: 'tcp://localhost:1'"])
def test_workers_name_the_extra_that_they_need(setting: str, project: Path) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("pool: pool", f"pool: pool, {setting}"))
    done = run("from stages import start; start('extract')", folder=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: dask, distributed are not installed; install them with: pip install 'ner-head[cluster]'\n"
    )


def test_extraction_in_one_process_needs_no_extra(project: Path) -> None:
    done = run("from stages import start; start('extract')", folder=project)
    assert done.returncode == 0, done.stderr
    assert (project / "data/features/manifest.json").is_file()


def test_a_new_project_names_the_extra_that_it_needs(project: Path) -> None:
    main = "from ner_head.cli.main import main; main()"
    done = run(main, "init", "corpus.jsonl", "--project", "new", folder=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("ner-head: dvc, pycrfsuite, scipy are not installed")
