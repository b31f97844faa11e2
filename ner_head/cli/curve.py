"""Command `curve`: dev F1 against the amount of training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ner_head.base.errors import UsageError
from ner_head.cli.arguments import ParamsFile, example
from ner_head.cli.curation_options import AsJson, Epochs, Features, Folder, Prepared, notes, pipeline
from ner_head.cli.output import check_output, emit, tell

EXAMPLE = example("ner-head curve --fractions 0.25,0.5,1 --seeds 3 --page curve.html")


def curve(
    params: ParamsFile = Path("params.yaml"),
    prepared: Prepared = Path("data/prepared"),
    features: Features = Path("data/features"),
    folder: Folder = Path("data/folds"),
    fractions: Annotated[str, typer.Option(help="fractions of the train documents")] = "0.125,0.25,0.5,1",
    seeds: Annotated[int, typer.Option(min=2, help="number of seeds, each with other documents and weights")] = 3,
    more: Annotated[
        int, typer.Option(min=0, help="further documents whose gain is estimated; 0 for half as many as there are")
    ] = 0,
    page: Annotated[Path | None, typer.Option(help="also write an HTML page with a plot")] = None,
    epochs: Epochs = 0,
    as_json: AsJson = False,
) -> None:
    """Show how dev F1 grows with the number of train documents, and estimate what more documents bring.

    Near copies are taken together. The encoder is not run. Finished heads are kept in the folder, so an interrupted
    command goes on where it stopped.
    """
    wanted = parse_fractions(fractions)
    check_output("html", page)
    source = pipeline(params, prepared, features)

    from ner_head.curation.curve import check_sizes, fit_curve, measure, table
    from ner_head.folds.pipeline import NOTHING_COMPUTED

    train, dev = source.documents(["train"]), source.documents(["dev"])
    check_sizes(train, dev)
    training = source.training(epochs=epochs)
    heads = source.heads(train, folder, training, notes)
    measured = []
    for each in measure(heads, train, dev, wanted, range(seeds), training):
        measured.append(each)
        tell(f"{len(measured)} of {len(wanted) * seeds}: {each.n_documents:,} documents, seed {each.seed}")
    found = fit_curve(measured, more=more or max(1, len(train) // 2))
    tell(f"{heads.trained} of {len(measured)} heads trained, the others read from {folder}; {NOTHING_COMPUTED}")
    if as_json:
        emit(found.as_dict())
    else:
        typer.echo(table(found))
    if page is not None:
        from ner_head.cli.output import replaced
        from ner_head.curation.curve_page import page as html

        with replaced(page) as write:
            write(html(found))


def parse_fractions(given: str) -> list[float]:
    """The fractions of an option.

    Raises:
        UsageError: one is no number above 0 and up to 1, or there are fewer than two.
    """
    try:
        found = sorted({float(part) for part in given.split(",")})
    except ValueError:
        raise UsageError(f"--fractions: numbers with commas, such as 0.25,0.5,1, are expected, got {given!r}") from None
    if len(found) < 2 or not all(0 < fraction <= 1 for fraction in found):
        raise UsageError(f"--fractions: two or more different numbers above 0 and up to 1 are expected, got {given!r}")
    return found


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(curve)
