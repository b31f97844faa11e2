"""Command `bundle`: a model and its encoder in one folder, or in a Python wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ner_head.base.errors import UsageError
from ner_head.cli.arguments import Encoder, example

EXAMPLE = example("ner-head bundle models/head dist --wheel --name my_ner --version 1.0.0")


def bundle(
    model: Annotated[str, typer.Argument(help="folder of a trained head, or name of an installed model")],
    output: Annotated[Path, typer.Argument(help="a new folder for the bundle; with --wheel, the folder of the wheel")],
    wheel: Annotated[bool, typer.Option("--wheel", help="write a Python wheel instead, which pip installs")] = False,
    name: Annotated[
        str | None, typer.Option(help="name of the model, and of the package; by default the folder's name")
    ] = None,
    version: Annotated[str, typer.Option(help="version of the package")] = "1.0.0",
    summary: Annotated[str, typer.Option(help="what the model is, in one line, for its card")] = "",
    about: Annotated[
        Path | None, typer.Option(help="a Markdown file for the card: what the model is good for, and what not")
    ] = None,
    encoder: Encoder = None,
) -> None:
    """Put a model and its encoder into one folder that works anywhere without network. Prints what was written."""
    from ner_head.base.files import check_new
    from ner_head.bundles.wheel import wheel_path
    from ner_head.cards.card import Description
    from ner_head.models import find_model

    if len(summary.splitlines()) > 1:
        raise UsageError("--summary: must be one line")
    if wheel and name is None:
        raise UsageError("--wheel: needs the name of the package too (--name my_ner)")
    described = Description(name or output.absolute().name, summary, read_about(about) if about else "")
    if wheel:
        wheel_path(output, described.name, version)
    else:
        check_new(output)
    folder = find_model(model)

    from ner_head.bundles.bundle import make_bundle, make_wheel  # imports torch

    if wheel:
        typer.echo(make_wheel(folder, output, described, release=version, encoder=encoder))
    else:
        make_bundle(folder, output, described, encoder=encoder)
        typer.echo(output)


def read_about(path: Path) -> str:
    """Read the author's text for the card.

    Raises:
        UsageError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--about {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"--about {path}: not UTF-8 at byte {error.start}") from None


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(bundle)
