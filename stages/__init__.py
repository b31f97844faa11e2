"""Entry points of the DVC stages, run as `python -m stages.NAME` in the project's root.

An installed package has them as `ner_head.stages.NAME`. Therefore they import each other by relative names.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from ner_head.base import entry
from ner_head.base.errors import DataError, ResourceError, harmless
from ner_head.base.files import new_text, try_lock, write_text
from ner_head.corpus.documents import Document
from ner_head.corpus.records import read_documents

PARAMS = Path("params.yaml")
PREPARED = Path("data/prepared")
FEATURES = Path("data/features")
MODEL = Path("models/head")
LEMMAS, LINKS = Path("models/lemmas"), Path("models/links")
REPORTS = Path("reports")
SPLITS = ("train", "dev", "test")
TEMPORARY = Path(".dvc/tmp")
INTERRUPTED = "interrupted; what is finished is kept, and the next run goes on from there"


def start(stage: str) -> NoReturn:
    """Run a stage as a program.

    `python -m stages.NAME` calls this before the other imports of the stage, because these import torch: that takes
    seconds, in which Ctrl-C must work too, and the waiting policy of OpenMP's threads has to be set before.
    """

    def main() -> None:
        with alone(stage):
            import_module(f"{__name__}.{stage}").main()

    run(main)
    sys.exit()


@contextmanager
def alone(stage: str) -> Iterator[None]:
    """Hold a lock, so that a stage does not run twice at once in a project.

    DVC forbids this too, by process ids. Those tell nothing of a stage whose DVC was killed, or of another container
    with the same project. The lock ends with the process. Without DVC's folder or without locks, nothing is checked.

    Raises:
        ResourceError: The stage runs already.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            handle = stack.enter_context((TEMPORARY / f"stage-{stage}.lock").open("ab"))
            if try_lock(handle) is False:
                raise ResourceError(
                    f"stage {stage} is running already in {Path.cwd()}, started by another `dvc repro` or by one "
                    "that was killed; wait until it ends, or end it"
                )
        yield


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
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table for `dvc plots`. Floats are rounded to six decimal places, which hides differences in last bits."""
    with new_text(path) as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row] for row in rows)
