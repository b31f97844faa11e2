"""Command `folds`: train a head for each fold of the corpus, and score what each says of its held-out documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ner_head.base.errors import UsageError
from ner_head.cli.arguments import ParamsFile, example
from ner_head.cli.curation_options import (
    AsJson,
    Epochs,
    Features,
    Folder,
    Folds,
    Prepared,
    Seed,
    SplitNames,
    notes,
    pipeline,
    split_names,
)
from ner_head.cli.output import emit, tell

EXAMPLE = example("ner-head folds -k 5 --splits train,dev")


def folds(
    params: ParamsFile = Path("params.yaml"),
    prepared: Prepared = Path("data/prepared"),
    features: Features = Path("data/features"),
    folder: Folder = Path("data/folds"),
    splits: SplitNames = "train",
    n_folds: Folds = 5,
    only: Annotated[
        int | None, typer.Option(min=0, help="number of the only fold to train, from 0, to spread folds over processes")
    ] = None,
    epochs: Epochs = 0,
    seed: Seed = 0,
    output: Annotated[Path | None, typer.Option(help="also write the out-of-fold predictions, as JSONL")] = None,
    as_json: AsJson = False,
) -> None:
    """Cross-validate: each document is predicted by a head that was trained without it and its near copies.

    The encoder is not run. Finished heads are kept in the folder, so an interrupted command goes on where it stopped.
    """
    names = split_names(splits)
    if only is not None and only >= n_folds:
        raise UsageError(f"--only: folds are numbered from 0 to {n_folds - 1}, got {only}")
    source = pipeline(params, prepared, features)

    from ner_head.folds.out_of_fold import train_folds
    from ner_head.folds.pipeline import NOTHING_COMPUTED
    from ner_head.folds.scores import fold_scores, table

    documents = source.documents(names)
    heads = source.heads(documents, folder, source.training(epochs=epochs, seed=seed), notes)
    trained = list(train_folds(heads, documents, n_folds, seed=seed, only=only))
    tell(f"{heads.trained} of {len(trained)} heads trained, the others read from {folder}; {NOTHING_COMPUTED}")
    found = fold_scores(trained, documents, heads)
    if output is not None:
        from ner_head.corpus.records import write_documents

        tell(f"{output}: {write_documents(output, found.predicted):,} documents")
    if as_json:
        emit(found.as_dict())
    else:
        typer.echo(table(found))


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(folds)
