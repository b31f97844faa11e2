from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core.registry import cpu_target

from ner_head.head.crf.kernel_cache import KernelFiles, private_folder
from ner_head.head.crf.kernels import compiled, expectations
from tests import offline
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


def kernel_of(first: str, second: str) -> Any:
    def kernel(x: Any) -> Any:
        return x, first, second

    return compiled(kernel)


def test_equal_kernels_have_one_key_whichever_strings_they_share() -> None:
    name = "a b"
    codegen = cpu_target.target_context.codegen()
    shared, copied = (kernel_of(name, other)._cache._index_key((), codegen) for other in (name, "-a b"[1:]))
    assert shared == copied
    assert double._cache._index_key((), codegen) != shared
    five, six = (expectations(n, 8, False)._cache._index_key((), codegen) for n in (5, 6))
    assert five != six


DOUBLE = """
import numpy as np
from ner_head.head.crf.kernels import compiled
def double(x):
    return x * 2
double = compiled(double)
print(double(np.ones(2)), double.stats.cache_hits)
"""


def test_a_kernel_is_compiled_once_and_then_read(tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(DOUBLE, encoding="utf-8")  # numba keeps no kernels of `python -c`

    def run() -> str:
        environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(tmp_path / "double.py")]
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


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Path]:
    """A copy of the package, and a small kernel, in a folder where nothing can be written."""
    shutil.copytree(ROOT / "ner_head", tmp_path / "sealed/ner_head", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "sealed/double.py").write_text(DOUBLE, encoding="utf-8")
    folders = [tmp_path / "sealed", *(path for path in (tmp_path / "sealed").rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield tmp_path / "sealed"
    for folder in folders:
        folder.chmod(0o755)


def run_in(sealed: Path, *arguments: str, temporary: Path) -> tuple[str, str]:
    """Run Python in the copy; the home directory cannot be written either. Returns output and errors."""
    environment = {"PYTHONPATH": str(sealed), "HOME": str(sealed / "home"), "TMPDIR": str(temporary)}
    done = offline.run([sys.executable, *arguments], cwd=sealed, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_kernels_are_kept_in_a_private_folder_where_nothing_else_can_be_written(sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    assert run_in(sealed, "double.py", temporary=tmp_path / "temporary") == ("[2. 2.] Counter()\n", "")
    (folder,) = (tmp_path / "temporary").iterdir()
    assert folder.name == f"ner-head-kernels-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    kernels = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nbc")}
    assert kernels
    assert "1" in run_in(sealed, "double.py", temporary=tmp_path / "temporary")[0].split("]")[1]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nbc")} == kernels


def test_the_crf_runs_as_torch_if_kernels_can_be_kept_nowhere(sealed: Path, tmp_path: Path) -> None:
    kernels = tmp_path / "temporary" / f"ner-head-kernels-{os.getuid()}"
    kernels.mkdir(parents=True)
    kernels.chmod(0o755)  # others can read it: it is not ours
    found, said = run_in(sealed, "-c", LOG_PARTITION, "3", temporary=kernels.parent)
    assert float(found.split()[1]) < 1e-4
    assert f"the CRF runs as plain torch, many times slower: {kernels} is not a private folder of this user" in said
    assert list(kernels.iterdir()) == []


@pytest.mark.parametrize("what", ["a link", "a file", "readable by others"])
def test_a_folder_that_another_user_could_have_made_is_refused(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = private_folder()
    assert private_folder() == folder
    folder.rmdir()
    if what == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    elif what == "a file":
        folder.touch(mode=0o600)
    else:
        folder.mkdir()
        folder.chmod(0o750)
    with pytest.raises(RuntimeError, match=r"not a private folder of this user|can be written \(File exists\)"):
        private_folder()
