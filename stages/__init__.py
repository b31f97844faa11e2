"""DVC entry points, run as `python -m stages.NAME` in the project's root."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ner_head.errors import NerHeadError
from ner_head.openmp import wait_asleep

if sys.argv[0] == "-m":  # `python -m stages.NAME`, which imports this package before the stage, and with it torch
    wait_asleep()

PARAMS = Path("params.yaml")
PREPARED = Path("data/prepared")
REPORTS = Path("reports")
SPLITS = ("train", "dev", "test")


def run(main: Callable[[], None]) -> None:
    """Run a stage: an error that a user can mend is one line and its exit code."""
    try:
        main()
    except NerHeadError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept, and the next run goes on from there", file=sys.stderr)
        sys.exit(130)


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
