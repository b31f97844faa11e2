from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ner_head.head.crf.kernel_cache import KernelFiles
from ner_head.head.crf.kernels import compiled
from tests.conftest import ROOT


def files(folder: Path) -> KernelFiles:
    return KernelFiles(cache_path=str(folder), filename_base="kernel", source_stamp=1)


def test_two_processes_that_save_at_once_do_not_swap_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = files(tmp_path), files(tmp_path)
    second.save(("five tags",), "kernel of five")
    with monkeypatch.context() as patch:  # the index as it was before the other process wrote
        patch.setattr(first, "_load_index", dict)
        first.save(("eleven tags",), "kernel of eleven")
    assert files(tmp_path).load(("eleven tags",)) == "kernel of eleven"
    assert files(tmp_path).load(("five tags",)) in ("kernel of five", None)
    second.save(("five tags",), "kernel of five")
    assert [files(tmp_path).load((name,)) for name in ("five tags", "eleven tags")] == [
        "kernel of five",
        "kernel of eleven",
    ]


def test_a_kernel_is_compiled_once_and_then_read(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from tests.head.crf.test_kernel_cache import double; "
        "print(double(np.ones(2)), double.stats.cache_hits)"
    )

    def run() -> str:
        environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split("]")[1]

    assert run().strip() == "Counter()"
    assert "1" in run()


def _double(x: np.ndarray) -> np.ndarray:
    return x * 2


double = compiled(_double)


LOSS = """
import sys, torch
from ner_head.head.crf import LinearChainCRF
for n_tags in map(int, sys.argv[1:]):
    torch.manual_seed(0)
    crf, emissions = LinearChainCRF(n_tags), torch.randn(2, 5, n_tags)
    mask = torch.ones(2, 5, dtype=torch.bool)
    tags = torch.zeros(2, 5, dtype=torch.int64)
    found, wanted = crf.log_likelihood(emissions, tags, mask), crf.log_likelihood_on_device(emissions, tags, mask)
    torch.testing.assert_close(found, wanted)
"""


def test_kernels_for_two_numbers_of_tags_are_read_from_the_cache_side_by_side(tmp_path: Path) -> None:
    """Each was compiled in a process of its own, where their inner functions got the same names and numbers."""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT)}
    for numbers in (["5"], ["11"], ["5", "11"]):
        subprocess.run([sys.executable, "-c", LOSS, *numbers], env=environment, check=True)
