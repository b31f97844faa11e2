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


LOG_PARTITION = """
import sys, torch
from ner_head.head.crf import LinearChainCRF
for n_tags in map(int, sys.argv[1:]):
    torch.manual_seed(0)
    crf, emissions = LinearChainCRF(n_tags), torch.randn(2, 5, n_tags)
    for scores in crf.parameters():
        torch.nn.init.zeros_(scores)
    found = crf.log_partition(emissions, torch.ones(2, 5, dtype=torch.bool))
    wanted = emissions.logsumexp(-1).sum(1)  # a path is a free choice at each step
    print(n_tags, float((found - wanted).detach().abs().max()))
"""


def test_kernels_for_two_numbers_of_tags_are_read_from_the_cache_side_by_side(tmp_path: Path) -> None:
    """Numba numbers what it compiles in a process. The first process leaves nothing but the kernels for 5 and 11 tags
    to the next two, so their inner functions get the same numbers. With the same names too, a process that reads both
    from the cache calls the inner functions of the first one in the second one. The order of the fast-math flags is a
    part of the names, and depends on the hash seed."""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}

    def errors(*numbers: str) -> dict[int, float]:
        """The largest error of the log-partition, by number of tags."""
        command = [sys.executable, "-c", LOG_PARTITION, *numbers]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return {int(n_tags): float(error) for n_tags, error in map(str.split, done.stdout.splitlines())}

    for alone in ("3", "5", "11"):
        assert errors(alone)[int(alone)] < 1e-4
    for together in (("5", "11"), ("11", "5")):
        found = errors(*together)
        assert found.keys() == {5, 11}
        assert max(found.values()) < 1e-4
