"""Command to download an encoder: fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ner_head.cli.arguments import example

EXAMPLE = example("ner-head fetch bert-base-multilingual-cased")


def fetch(
    encoder: Annotated[str, typer.Argument(help="name of the encoder on the Hugging Face hub, such as owner/name")],
    folder: Annotated[
        Path | None, typer.Argument(help="folder to write; encoders/NAME without the owner if not given")
    ] = None,
) -> None:
    """Download an encoder into a folder, for `encoder.model` in params.yaml. Prints the folder."""
    from ner_head.features.extraction import checkpoints

    typer.echo(checkpoints.fetch(encoder, folder))


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(fetch)
