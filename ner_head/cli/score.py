"""Command `score`: score annotation files as the BSNLP shared task does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.arguments import example
from ner_head.cli.output import tell

EXAMPLE = example("ner-head score data/sample/annotated reports/bsnlp")


def score(
    gold: Annotated[Path, typer.Argument(help="folder of gold files: TOPIC/LANGUAGE/FILE, id in the first line")],
    system: Annotated[Path, typer.Argument(help="folder of predicted files, such as reports/bsnlp")],
    as_json: Annotated[bool, typer.Option("--json", help="print the scores of all slices as one JSON object")] = False,
    by_name: Annotated[
        bool, typer.Option(help="match files by name without suffix, not by the ids in their first lines")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option(help="score even if more than half of the gold documents are skipped")
    ] = False,
) -> None:
    """Score annotation files as the BSNLP shared task does. Gold documents without a predicted file are skipped."""
    import json

    from ner_head.evaluation import bsnlp

    for folder in (gold, system):
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    found = bsnlp.pair_directories(gold, system, by_name=by_name)
    if not any(pair.gold for pair in found.pairs):
        raise DataError(f"{gold}: no annotation in it, so there is nothing to score against")
    if found.ignored:
        tell(f"rows ignored: {len(found.ignored)} (the first is {found.ignored[0]!r:.200})")
    if found.skipped:
        counts = f"golden documents: {len(found.pairs)} scored, {len(found.skipped)} skipped"
        line = f"{counts}, as the system has no file of them (the first is {found.skipped[0]})"
        if found.mostly_skipped and not allow_missing:
            raise DataError(f"{line}; --by-name pairs by names of files, --allow-missing scores the few that there are")
        tell(line)
    if as_json:
        shown = {**found.scores(), "lemma_accuracy": found.lemma_accuracy()}
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        typer.echo(bsnlp.table(found))


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(score)
