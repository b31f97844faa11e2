"""Run a quick set of tests with each Python, and with the lowest and the highest version of each dependency.

Usage: python tools/test_matrix.py [--python 3.11 ...] [--versions lowest highest] [TESTS ...]

Needs `uv` on the path, and setuptools and pip in this Python. An environment is made in a temporary folder, one at a
time, and removed afterwards. uv reads its own variables: with `UV_TORCH_BACKEND=cpu` it takes the builds of torch
without CUDA, which are small.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
RESOLUTIONS = {"lowest": "lowest-direct", "highest": "highest"}
TOOLS = ("httpx", "hypothesis", "pytest")
"""What the tests need, beside the library with all its extras; their bounds are those of the extra `dev`."""
TESTS = (
    "tests/base/test_params.py",  # pydantic, ruamel.yaml
    "tests/base/test_files.py",
    "tests/platforms/test_windows.py",
    "tests/corpus/test_segment.py",  # regex, hypothesis
    "tests/features/extraction/test_encoder.py",  # torch, transformers, tokenizers, safetensors, gguf
    "tests/features/extraction/test_processes.py",  # fork and spawn
    # dask, distributed
    "tests/features/extraction/test_workers.py::test_four_processes_of_this_machine_give_the_bytes_of_one",
    "tests/features/store/test_golden.py",  # h5py
    "tests/features/test_store_and_extract.py",
    "tests/head/crf/test_layer.py",  # numba
    "tests/training/test_temperatures.py",  # scipy
    "tests/onnx/test_export.py",  # onnx, onnxscript, onnxruntime
    "tests/integrations/test_spacy.py",  # spaCy
    "tests/conversion/test_round_trips.py",
    "tests/server/test_inception.py",  # fastapi, dkpro-cassis
    "tests/server/test_command.py::test_the_command_serves_the_model_with_a_token_and_tells_where",  # uvicorn
    "tests/test_baseline.py",  # python-crfsuite
    "tests/pages/test_plots_page.py",  # dvc, vl-convert
    "tests/cli/test_init.py",  # typer, rich, dvc
    "tests/cli/test_predict.py",
)
"""Tests that touch each dependency and each way into the library."""
COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped)\b")


class Cell(NamedTuple):
    """The result of one environment: passed, failed or not run, and a remark."""

    python: str
    versions: str
    result: str
    remark: str


def requirements() -> str:
    """The tests' own tools with the bounds of pyproject.toml, one a line.

    Raises:
        KeyError: the extra `dev` lacks one of them.
    """
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    found = {name: each for each in extras["dev"] for name in TOOLS if re.match(rf"{name}\b(?!-)", each)}
    return "".join(f"{found[name]}\n" for name in TOOLS)


def run_cell(python: str, versions: str, tests: Sequence[str], wheel: Path, folder: Path) -> Cell:
    """Make one environment in a folder, run the tests in it, and say how they ended.

    Raises:
        CalledProcessError: the wheel of the library cannot be installed.
    """
    interpreter = shutil.which(f"python{python}")
    if interpreter is None or subprocess.run([interpreter, "--version"], capture_output=True, check=False).returncode:
        return Cell(python, versions, "not run", f"no python{python} on the path")
    environment, pins = folder / "env", folder / "pins.txt"
    (folder / "tools.txt").write_text(requirements(), encoding="utf-8", newline="\n")
    new = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
    new += ["--resolution", RESOLUTIONS[versions], "--python", interpreter, "--extra=all", "--output-file", str(pins)]
    steps = {
        "no versions with wheels": [*new, str(ROOT / "pyproject.toml"), str(folder / "tools.txt")],
        "no environment": ["uv", "venv", "--quiet", "--python", interpreter, str(environment)],
        "cannot be installed": ["uv", "pip", "install", "--quiet", "--python", str(environment), "-r", str(pins)],
    }
    for problem, command in steps.items():
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if done.returncode:
            return Cell(python, versions, "not run", f"{problem}: {' '.join(done.stderr.split())[:300]}")
    # the metadata of the library, from the same wheel in all environments; its code is that of the repository
    install = ["uv", "pip", "install", "--quiet", "--python", str(environment), "--no-deps", str(wheel)]
    subprocess.run(install, check=True)
    python_of = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [str(python_of), "-m", "pytest", "-p", "no:cacheprovider", *tests]
    paths = {"PYTHONPATH": str(ROOT), "PATH": f"{python_of.parent}{os.pathsep}{os.environ['PATH']}"}
    variables = {**os.environ, **paths, "NUMBA_CACHE_DIR": str(folder / "kernels")}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, encoding="utf-8", errors="replace", check=False
    )
    return Cell(python, versions, *outcome(done.returncode, done.stdout))


def outcome(code: int, output: str) -> tuple[str, str]:
    """The result and a remark, from the exit code and the output of pytest. Without a test that ran, it failed."""
    last = next((line for line in reversed(output.splitlines()) if COUNTS.search(line)), "")
    counts = ", ".join(f"{number} {what}" for number, what in COUNTS.findall(last))
    failures = [line.split(" - ")[0] for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if code == 0 and re.search(r"\b[1-9]\d* passed\b", counts):
        return "passed", counts
    return "failed", "; ".join([counts or f"pytest ended with {code}", *failures])


def table(cells: Sequence[Cell]) -> str:
    """The results as Markdown."""
    rows = [f"| {' | '.join(cell).replace(chr(10), ' ')} |" for cell in cells]
    return "\n".join(["| Python | versions | result | tests |", "|---|---|---|---|", *rows])


def main() -> None:
    """Run all cells and print the table. Exits with 1 if a cell failed or none passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="3.X")
    parser.add_argument("--versions", nargs="+", default=tuple(RESOLUTIONS), choices=tuple(RESOLUTIONS))
    parser.add_argument("tests", nargs="*", default=TESTS)
    options = parser.parse_args()
    if shutil.which("uv") is None:
        sys.exit("test_matrix: no uv on the path; install it with `pip install uv`")
    cells: list[Cell] = []
    with tempfile.TemporaryDirectory(prefix="ner-head-matrix.") as built:
        subprocess.run([ROOT / "tools/build_wheel.sh", built], check=True)
        (wheel,) = Path(built).glob("*.whl")
        for python, versions in product(options.python, options.versions):
            with tempfile.TemporaryDirectory(prefix="ner-head-matrix.") as folder:
                cells.append(run_cell(python, versions, options.tests, wheel, Path(folder)))
            print(" ".join(cells[-1]), file=sys.stderr, flush=True)
    print(table(cells))
    results = {cell.result for cell in cells}
    sys.exit(1 if "failed" in results or "passed" not in results else 0)


if __name__ == "__main__":
    main()
