"""Output of the commands: JSON lines on standard output, messages on standard error."""

from __future__ import annotations

import json

import typer


def emit(record: object) -> None:
    """Print a record as one JSON line."""
    typer.echo(json.dumps(record, ensure_ascii=False))


def tell(message: str) -> None:
    """Print a message on standard error."""
    typer.echo(message, err=True)
