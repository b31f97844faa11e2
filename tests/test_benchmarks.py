"""Parts of the benchmarks that nobody would see fail on this kind of machine."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import Training
from benchmarks.machine import Machine
from benchmarks.memory import Peak
from benchmarks.random_store import memory, random_store
from benchmarks.training import forward_products
from ner_head.head.params import AttentionParams, HeadParams, LstmParams, WordParams
from tests.conftest import ROOT

SMALL = HeadParams(
    words=WordParams(width=0), lstm=LstmParams(hidden=4), attention=AttentionParams(heads=1, key_size=4), projection=4
)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_benchmark_of_gpus_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "error: no CUDA device on this machine; `--device cpu --tiny` tests the script itself\n"


def test_the_benchmark_of_gpus_runs_on_a_cpu(tmp_path: Path) -> None:
    training = Training(Machine("cpu"), random_store(tmp_path, 300, 2, 8), SMALL)
    rows = [*training.epochs("none", 1), training.agreement(2), *training.step()]
    assert [what for what, _, _ in rows] == [
        f"80 epochs, {sum(map(training.store.n_pieces, training.store)):,} pieces, streamed",
        "GPU memory, streamed",
        "loss in bfloat16 against float32, 2 steps",
        "one step",
        "host waits for the GPU in a step",
        "LSTM",
    ]


def test_products_are_counted_as_torch_multiplies() -> None:
    """4 positions of width 6, 3 of them steps; written out."""
    lstm = 2 * 4 * 2 * (4 * 4) * (6 + 4)
    attention = 4 * 2 * 4 * (4 * 8) + 2 * 2 * 4 * 4 * 4
    last = 3 * 2 * (8 * 4 + 4 * 11)
    classifier = 2 * 3 * 8 * SMALL.classifier
    assert forward_products(SMALL, 6, 4, 3) == lstm + attention + last + classifier


def memory_of_training(folder: Path) -> tuple[float, float]:
    """GB of a store, and GB of memory that an epoch and a prediction with it need."""
    training = Training(Machine("cpu"), random_store(folder, 16_000, 12, 768), SMALL)
    size = sum(path.stat().st_size for path in folder.glob("*.h5")) / 1e9
    trainer = training.trainer("float32")
    batches = training.batches(trainer, 0)
    trainer.train_epoch(batches[:2], training.store, 1)  # kernels are compiled before, here and below
    trainer.tagger.tag([training.store[sentence.name] for sentence in training.sentences[:16]])
    before = memory("RssAnon") / 1e9
    with Peak() as peak:
        trainer.train_epoch(batches, training.store, 1)
        trainer.tagger.tag([training.store[sentence.name] for sentence in training.sentences])
    return size, peak.found["RssAnon"] - before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_training_takes_a_small_part_of_the_memory_of_its_store(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:  # without the garbage of other tests
        size, growth = fresh.submit(memory_of_training, tmp_path).result()
    assert size > 0.4
    assert 0 < growth < 0.6 * size  # a few batches, however large the store is
