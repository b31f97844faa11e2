"""Options that the commands over cached features share. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import UsageError
from ner_head.cli.arguments import require_manifest
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document
    from ner_head.folds.pipeline import Pipeline

Prepared = Annotated[Path, typer.Option(help="folder of prepared documents")]
Features = Annotated[Path, typer.Option(help="folder of the feature store")]
Folder = Annotated[Path, typer.Option(help="folder of trained heads, which are not trained again")]
SplitNames = Annotated[str, typer.Option("--splits", help="splits to divide into folds, such as train,dev")]
Folds = Annotated[int, typer.Option("--folds", "-k", min=2, help="number of folds")]
Epochs = Annotated[int, typer.Option(min=0, help="training epochs of each head; 0 as in the params")]
Seed = Annotated[int, typer.Option(min=0, help="seed of the folds and of the heads")]
AsJson = Annotated[bool, typer.Option("--json", help="print the result as JSON")]

To = Annotated[
    str,
    typer.Option(
        "--to",
        help="format of the pre-annotated documents: jsonl, label-studio, doccano, brat, webanno, xmi, spacy, conll, "
        "bsnlp",
    ),
]

SPLITS = ("train", "dev", "test")


def pipeline(params: Path, prepared: Path, features: Path) -> Pipeline:
    """The files of the pipeline, checked before torch is imported.

    Raises:
        UsageError: the params are absent or wrong, or scipy is not installed.
        DataError: there is no feature store.
    """
    from ner_head.base.extras import require_extra
    from ner_head.base.params import read_params
    from ner_head.base.runtime import RuntimeParams

    require_extra("train", "scipy")
    read_params(params, "runtime", RuntimeParams)
    require_manifest(features, mend="run `dvc repro extract`")

    from ner_head.folds.pipeline import Pipeline  # imports torch

    return Pipeline(params, prepared, features)


def split_names(given: str) -> list[str]:
    """The names of splits in an option.

    Raises:
        UsageError: there is no such split, or it is given twice.
    """
    names = [name.strip() for name in given.split(",")]
    if wrong := [name for name in names if name not in SPLITS]:
        raise UsageError(f"--splits: no split {wrong[0]!r}; splits are {', '.join(SPLITS)}")
    if len(set(names)) < len(names):
        raise UsageError(f"--splits: {given}: a split is given twice")
    return names


def notes(lines: Sequence[str]) -> None:
    """Print notes on standard error."""
    for line in lines:
        tell(f"note: {line}")


def check_form(form: str) -> None:
    """Check the option `--to`.

    Raises:
        UsageError: there is no such format, or its extra is not installed.
    """
    from ner_head.conversion import tool_of

    tool_of(form, writes=True)


def write_annotated(documents: Sequence[Document], path: Path, form: str) -> None:
    """Write documents as pre-annotations, and say what the format does not hold.

    JSONL is written as `predict` writes it, with all that is known of a document.
    """
    from ner_head.cli.convert import loss_lines
    from ner_head.cli.output import write_results
    from ner_head.conversion import Options, write

    if form == "jsonl":
        write_results(documents, form, path)
        return
    losses = write(documents, path, form, options=Options(predicted=True))
    if lines := [*losses.notices, *loss_lines(losses)]:
        tell("\n".join(lines))
