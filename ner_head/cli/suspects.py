"""Command `suspects`: annotations that heads which did not see them contradict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    To,
    check_form,
    notes,
    pipeline,
    split_names,
    write_annotated,
)
from ner_head.cli.output import check_output, emit, tell

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document
    from ner_head.curation.suspects import Suspect

NAMES = ("missing", "spurious", "wrong type", "wrong boundary")
EXAMPLE = example("ner-head suspects -n 50 --page suspects.html --export review.jsonl")


def suspects(
    params: ParamsFile = Path("params.yaml"),
    prepared: Prepared = Path("data/prepared"),
    features: Features = Path("data/features"),
    folder: Folder = Path("data/folds"),
    splits: SplitNames = "train",
    n_folds: Folds = 5,
    number: Annotated[int, typer.Option("-n", min=1, help="number of suspects to list")] = 100,
    margin: Annotated[
        float, typer.Option(min=-1, max=1, help="least probability of the alternative minus that of the annotation")
    ] = 0.0,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="only this kind: missing, spurious, wrong type or wrong boundary; may be repeated"),
    ] = None,
    page: Annotated[Path | None, typer.Option(help="also write an HTML page")] = None,
    export: Annotated[
        Path | None, typer.Option(help="also write the documents with suspects, pre-annotated, to a file or new folder")
    ] = None,
    to: To = "jsonl",
    epochs: Epochs = 0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Rank annotations that are probably wrong: missing, spurious, of a wrong type, or with wrong boundaries.

    Each document is read by a head that was trained without it and its near copies (`ner-head folds`). The encoder is
    not run.
    """
    names = split_names(splits)
    if unknown := [name for name in kind or [] if name not in NAMES]:
        raise UsageError(f"--kind: no kind {unknown[0]!r}; kinds are {', '.join(NAMES)}")
    check_form(to)
    for output in (page, export if to == "jsonl" else None):
        check_output("jsonl", output)
    source = pipeline(params, prepared, features)

    from ner_head.curation.out_of_fold import out_of_fold_beliefs
    from ner_head.curation.review import to_review
    from ner_head.curation.suspects import find_suspects
    from ner_head.folds.pipeline import NOTHING_COMPUTED

    documents = source.documents(names)
    heads = source.heads(documents, folder, source.training(epochs=epochs, seed=seed), notes)
    everything = find_suspects(out_of_fold_beliefs(heads, documents, n_folds, seed=seed), documents, least=margin)
    found = [suspect for suspect in everything if not kind or suspect.kind in kind][:number]
    tell(f"{heads.trained} of {n_folds} heads trained, the others read from {folder}; {NOTHING_COMPUTED}")
    show(found, everything, documents, page, as_json=as_json)
    if export is not None:
        write_annotated(list(to_review(found, documents)), export, to)


def show(
    found: Sequence[Suspect],
    everything: Sequence[Suspect],
    documents: Sequence[Document],
    page: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print the suspects, and write their page."""
    from ner_head.curation.review import record, table
    from ner_head.curation.suspects import counts

    kinds = ", ".join(f"{n:,} {name}" for name, n in counts(everything).items())
    n_spans = sum(len(document.spans) for document in documents)
    summary = f"{len(everything):,} suspects among {n_spans:,} annotations ({kinds}); the first {len(found):,}"
    if as_json:
        for suspect in found:
            emit(record(suspect, documents[suspect.document]))
    else:
        typer.echo(f"{summary}\n{table(found, documents)}")
    if page is not None:
        from ner_head.cli.output import replaced
        from ner_head.curation.suspects_page import page as parts

        with replaced(page) as write:
            for part in parts("Suspicious annotations", summary, documents, found):
                write(part)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(suspects)
