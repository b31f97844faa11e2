"""Entry points of the DVC stages, run as `python -m stages.NAME` in the project's root.

An installed package has them as `ner_head.stages.NAME`. Therefore they import each other by relative names.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from ner_head.base import entry
from ner_head.base.errors import DataError, harmless
from ner_head.corpus.documents import Document, read_documents

PARAMS = Path("params.yaml")
PREPARED = Path("data/prepared")
FEATURES = Path("data/features")
MODEL = Path("models/head")
LEMMAS, LINKS = Path("models/lemmas"), Path("models/links")
REPORTS = Path("reports")
SPLITS = ("train", "dev", "test")
INTERRUPTED = "interrupted; what is finished is kept, and the next run goes on from there"


def start(stage: str) -> NoReturn:
    """Run a stage as a program.

    `python -m stages.NAME` calls this before the other imports of the stage, because these import torch: that takes
    seconds, in which Ctrl-C must work too, and the waiting policy of OpenMP's threads has to be set before.
    """
    run(lambda: import_module(f"{__name__}.{stage}").main())
    sys.exit()


def run(main: Callable[[], None]) -> None:
    """Run the `main` of a stage. An error ends the program with one line and an exit code."""
    entry.run(main, name="error", interrupted=INTERRUPTED)


def warn(lines: Iterable[str]) -> None:
    """Print notes on standard error, also if progress is not shown."""
    for line in lines:
        print(f"note: {harmless(line)}", file=sys.stderr)


def read_split(split: str) -> list[Document]:
    """Read the prepared documents of a split."""
    return list(read_documents(PREPARED / f"{split}.jsonl"))


def read_predictions(path: Path, split: str, gold: Sequence[Document], *, stage: str) -> list[Document]:
    """Read the predictions of a stage for the documents of a split.

    Raises:
        DataError: The file has other documents.
    """
    found = list(read_documents(path))
    if [document.key for document in found] != [document.key for document in gold]:
        raise DataError(f"{path}: other documents than {PREPARED / f'{split}.jsonl'}; run `dvc repro {stage}`")
    return found


def write_json(path: Path, content: object) -> None:
    """Write a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table for `dvc plots`. Floats are rounded to six decimal places, which hides differences in last bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row] for row in rows)
