"""Strict dev F1 of the head on the frozen features of several encoders; see docs/results.md.

    python -m benchmarks.encoders PREPARED ENCODER... [--seeds 0 1] [--set training.epochs=1] [--name encoders]

PREPARED is a folder of stage `prepare`. An encoder is a folder in the Hugging Face layout, or `random:FOLDER` for one
of the same shape and tokenizer with fresh weights. The project's own stages run in a workspace of their own, with
`params.yaml` as it stands here but for `--set`; features of one encoder are deleted before the next one's are made.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import write_results

ROOT = Path(__file__).parent.parent


def randomised(folder: Path, out: Path) -> Path:
    """An encoder like that of the folder with fresh weights."""
    from transformers import AutoConfig, AutoModel

    shutil.copytree(folder, out)
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.from_pretrained(folder)).half().save_pretrained(out)
    return out


def python(module: str, workspace: Path, *arguments: str) -> None:
    """Run a module of the project there."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=workspace, env=environment, check=True)


def measure(encoder: Path, prepared: Path, changes: Sequence[str], seeds: Sequence[int]) -> list[list[float]]:
    """Dev F1 after each epoch, per seed."""
    curves = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        (workspace / "data").mkdir()
        (workspace / "data/prepared").symlink_to(prepared.resolve())
        for seed in seeds:
            own = [f"encoder.model={encoder.resolve()}", "runtime.pool=data/pool", f"training.seed={seed}"]
            shutil.copy(ROOT / "params.yaml", workspace)
            python("experiments.params", workspace, "training.held_out=0", *changes, *own)
            if seed == seeds[0]:
                python("stages.extract", workspace)
            shutil.rmtree(workspace / "models", ignore_errors=True)
            python("stages.train", workspace)
            with (workspace / "reports/learning_curve.csv").open(encoding="utf-8", newline="") as handle:
                curves.append([float(row["dev_f1"]) for row in csv.DictReader(handle)])
    return curves


def main() -> None:
    """Print a line an encoder, and write them all to `benchmarks/results`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("encoders", nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="PATH=VALUE")
    parser.add_argument("--name", default="encoders")
    options = parser.parse_args()
    figures: dict[str, Any] = {"changes": options.set, "seeds": options.seeds, "dev_f1": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.encoders:
            fresh, _, path = name.rpartition(":")
            encoder = randomised(Path(path), Path(folder) / "random") if fresh else Path(path)
            curves = measure(encoder, options.prepared, options.set, options.seeds)
            figures["dev_f1"][name] = curves
            best = [max(curve) for curve in curves]
            print(f"{name}: {sum(best) / len(best):.4f} {[[round(f1, 4) for f1 in c] for c in curves]}", flush=True)
            write_results(options.name, figures)


if __name__ == "__main__":
    main()
