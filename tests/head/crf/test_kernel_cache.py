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
