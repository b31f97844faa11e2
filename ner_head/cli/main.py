"""The `ner-head` command: the app and its entry point."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ner_head.base import entry
from ner_head.cli import (
    bundle,
    check,
    compare,
    convert,
    curve,
    embed,
    export,
    fetch,
    folds,
    init,
    plan,
    pool,
    predict,
    score,
    serve,
    store,
    suggest,
    suspects,
)
from ner_head.cli.arguments import example


class Stopped(BaseException):
    """Carries an interrupt or a closed pipe past typer, which would handle it, to `entry.run`."""


class Commands(TyperGroup):
    """The group of all commands."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise Stopped from error


def print_version(wanted: bool) -> None:
    """Print the version and exit, if the option is given."""
    if wanted:
        from ner_head import __version__

        typer.echo(f"ner-head {__version__}")
        raise typer.Exit


def describe(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Named entity recognition with a frozen encoder.

    Results are written to standard output, everything else to standard error.
    """


app = typer.Typer(
    cls=Commands,
    callback=describe,
    epilog=example('ner-head predict --text "Jana Nová bydlí v Brně."'),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (
    predict,
    serve,
    init,
    check,
    convert,
    folds,
    suspects,
    curve,
    suggest,
    embed,
    export,
    bundle,
    score,
    compare,
    store,
    plan,
    pool,
    fetch,
):
    group.register(app)


def main() -> None:
    """Entry point."""
    entry.collect_seldom()
    entry.run(commands, name="ner-head")


def commands() -> None:
    """Run the command line."""
    try:
        app(prog_name="ner-head")
    except Stopped as stopped:
        raise stopped.__cause__ or stopped from None


if __name__ == "__main__":
    main()
