"""DVC entry points, run as `python -m stages.NAME` in the project's root."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType

from ner_head.base import entry
from ner_head.base.openmp import wait_asleep

if sys.argv[0] == "-m":  # `python -m stages.NAME`, which imports this package before the stage, and with it torch
    wait_asleep()

PARAMS = Path("params.yaml")
PREPARED = Path("data/prepared")
REPORTS = Path("reports")
INTERRUPTED = "interrupted; what is finished is kept, and the next run goes on from there"
SPLITS = ("train", "dev", "test")


def run(main: Callable[[], None]) -> None:
    """Run a stage: what stops it is one line and an exit code."""
    entry.run(main, name="error", interrupted=INTERRUPTED)


def before_main(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    """Answer what stops a stage while it imports torch, which takes seconds."""
    entry.answer(error, name="error", interrupted=INTERRUPTED)


sys.excepthook = before_main


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
