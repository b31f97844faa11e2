"""Ablation of the head: each part switched off, resized or stacked, as queued DVC experiments over cached features.

    python -m experiments.ablation [section.name=value ...] [--jobs N] [--only NAME ...]

Assignments apply to every run. `training.held_out` is 0 by default, because the table has no probabilities. The table
is written to standard output and to reports/ablation.md.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from statistics import median
from typing import Any

from experiments.assignments import split_assignment
from ner_head.base.errors import DataError
from stages import REPORTS, run

VARIANTS: dict[str, list[str]] = {
    "base": [],
    "no-lstm": ["head.lstm.layers=0"],
    "lstm-64": ["head.lstm.hidden=64"],
    "lstm-256": ["head.lstm.hidden=256"],
    "lstm-twice": ["head.lstm.layers=2"],
    "no-attention": ["head.attention.layers=0"],
    "attention-twice": ["head.attention.layers=2"],
    "no-classifier": ["head.classifier=0"],
    "no-words": ["head.words.width=0"],
    "mix-free": ["head.mix=free"],
    "mix-per-dimension": ["head.mix=per_dimension"],
    "mix-concat": ["head.mix=concat", "head.layers=last-4"],
    "last-layer": ["head.layers=last"],
    "layer-6": ["head.layers=6"],
    "layers-1-4": ["head.layers=1-4"],
    "all-pieces": ["head.pieces=all"],
    "first-pieces": ["head.pieces=first"],
    "softmax": ["head.decoder=softmax"],
    "iobx": ["head.tags=iobx", "head.pieces=all"],
    "iobx-softmax": ["head.tags=iobx", "head.pieces=all", "head.decoder=softmax"],
    "linear": ["head.lstm.layers=0", "head.attention.layers=0", "head.projection=0", "head.decoder=softmax"],
}
COMPUTED = re.compile(r"\d+ shards, \d+ to compute: ([\d,]+) pieces")
EPOCH = re.compile(r"^epoch \d+/\d+: .*, ([\d.]+) s$", re.MULTILINE)


def main() -> None:
    """Queue the experiments, run them, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("assignments", nargs="*", metavar="section.name=value")
    options = parser.parse_args()
    given = {"training.held_out": "0"} | dict(map(split_assignment, options.assignments))
    if options.jobs > 1:
        given |= {"runtime.threads": "1"}
    common = [f"{name}={value}" for name, value in given.items()]
    dvc("repro", "extract")  # once, here; the runs link the features from DVC's cache
    names = {name: f"ablation-{name}" for name in options.only}
    dvc("exp", "remove", "--queue", quiet=True)
    for name, experiment in names.items():
        dvc("exp", "remove", experiment, quiet=True)
        overrides = [word for change in VARIANTS[name] + common for word in ("--set-param", change)]
        dvc("exp", "run", "--queue", "--name", experiment, *overrides)
    dvc("exp", "run", "--run-all", "--jobs", str(options.jobs))
    found = table(names)
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / "ablation.md").write_text(found, encoding="utf-8", newline="\n")
    print(f"\n{found}")


def dvc(*arguments: str, quiet: bool = False) -> None:
    """Run a DVC command. `quiet` hides its output and ignores its failure.

    Raises:
        DataError: The command failed.
    """
    done = subprocess.run(["dvc", *arguments], capture_output=quiet, check=False)
    if done.returncode and not quiet:
        raise DataError(f"`dvc {' '.join(arguments)}` failed; see above")


def table(names: dict[str, str]) -> str:
    """A Markdown table with a row per run, with the number of word pieces that the encoder computed for it."""
    lines = [
        "| run | changes | dev F1 | seconds an epoch | parameters | pieces through the encoder |",
        "|---|---|---|---|---|---|",
    ]
    for name, experiment in names.items():
        found = report(experiment)
        if found is None:
            lines.append(f"| {name} | {' '.join(VARIANTS[name])} | failed: `dvc queue logs {experiment}` | | | |")
            continue
        score = f"{found['dev_f1']:.3f}" if "dev_f1" in found else "-"
        log = output("queue", "logs", experiment)
        lines.append(
            f"| {name} | {' '.join(VARIANTS[name])} | {score} | {seconds_per_epoch(log):.1f} "
            f"| {found['parameters']:,} | {encoded(log):,} |"
        )
    return "\n".join(lines) + "\n"


def output(*arguments: str) -> str:
    """The standard output of a DVC command."""
    return subprocess.run(["dvc", *arguments], capture_output=True, text=True, check=True).stdout


def report(experiment: str) -> Any:
    """The training report of an experiment; None if it failed."""
    from dvc.api import read
    from dvc.exceptions import DvcException

    try:
        return json.loads(read(str(REPORTS / "training.json"), rev=experiment))
    except DvcException:
        return None


def seconds_per_epoch(log: str) -> float:
    """Median seconds of an epoch, from the log of stage `train`; NaN if it has none."""
    found = [float(seconds) for seconds in EPOCH.findall(log)]
    return median(found) if found else float("nan")


def encoded(log: str) -> int:
    """Number of word pieces that stage `extract` computed, from its log; 0 if it did not run."""
    return sum(int(count.replace(",", "")) for count in COMPUTED.findall(log))


if __name__ == "__main__":
    run(main)
