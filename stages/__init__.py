"""DVC entry points, run as `python -m stages.NAME` in the project's root."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from ner_head.base import entry

PARAMS = Path("params.yaml")
PREPARED = Path("data/prepared")
REPORTS = Path("reports")
INTERRUPTED = "interrupted; what is finished is kept, and the next run goes on from there"
SPLITS = ("train", "dev", "test")


def start(stage: str) -> NoReturn:
    """Run a stage as a program.

    `python -m stages.NAME` calls this before the other imports of the stage, because these import torch: that takes
    seconds, in which Ctrl-C must work too, and OpenMP's threads have to be set up first.
    """
    run(lambda: import_module(f"stages.{stage}").main())
    sys.exit()


def run(main: Callable[[], None]) -> None:
    """Run the `main` of a stage. An error ends the program with one line and an exit code."""
    entry.run(main, name="error", interrupted=INTERRUPTED)


def warn(lines: Iterable[str]) -> None:
    """Lines that a user should see however progress is shown: what has run, and is not what it looks like."""
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for `dvc plots`; numbers with six digits behind the point, so that the last bits do not show."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row] for row in rows)
