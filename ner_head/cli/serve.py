"""Command `serve`: find entities over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.arguments import Device, Encoder, Model, Threads, example, model_folder, runtime_params
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from socket import socket

    from ner_head.recognizer import Recognizer
    from ner_head.server.limits import Limits

EXAMPLE = example("ner-head serve --model models/head --port 8000")
TOKEN = "NER_HEAD_TOKEN"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    model: Model = None,
    encoder: Encoder = None,
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 for all of this machine")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"file with the secret that clients must send; or set {TOKEN} in the environment"),
    ] = None,
    max_body: Annotated[int | None, typer.Option(help="largest body of a request, in bytes")] = None,
    max_texts: Annotated[int | None, typer.Option(help="most texts in a request")] = None,
    max_characters: Annotated[int | None, typer.Option(help="most characters of the texts of a request")] = None,
    max_n_best: Annotated[int | None, typer.Option(help="most readings of a sentence")] = None,
    max_queue: Annotated[int | None, typer.Option(help="most texts that wait for the model")] = None,
    timeout: Annotated[float | None, typer.Option(help="most seconds from a request to its answer")] = None,
    access_log: Annotated[bool, typer.Option("--access-log", help="write a line per request")] = False,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Find entities over HTTP, with the protocols of Label Studio and INCEpTION. Stops cleanly on Ctrl-C or SIGTERM."""
    from ner_head.base.extras import require_extra

    require_extra("serve", "fastapi", "uvicorn")
    runtime_params(device, threads)
    limits = read_limits(
        body_bytes=max_body,
        texts=max_texts,
        characters=max_characters,
        n_best=max_n_best,
        queue_texts=max_queue,
        request_seconds=timeout,
    )
    token = read_token(token_file)
    folder = model_folder(model)

    from ner_head.server import run

    listener = run.bind(host, port)
    if token is None and host not in LOOPBACK:
        tell(f"ner-head: anybody who reaches {host} can use this server; set {TOKEN} or --token-file to prevent it")

    from ner_head.recognizer import Recognizer  # imports torch

    recognizer = Recognizer.load(folder, device, encoder=encoder, threads=threads)
    run_until_signal(recognizer, folder, listener, limits, token=token, access_log=access_log)
    tell("ner-head: stopped")


def run_until_signal(
    recognizer: Recognizer, model: Path, listener: socket, limits: Limits, *, token: str | None, access_log: bool
) -> None:
    """Serve a loaded model on a bound socket."""
    from ner_head.server import run
    from ner_head.server.start import start

    def ready() -> None:
        tell(f"ner-head: serving {model} on {run.url(listener)} (its paths: {run.url(listener)}/docs)")

    with start(recognizer, model, limits, token=token) as app:
        run.listen(listener)
        run.serve(app, listener, limits, ready=ready, stopping=app.stop, access_log=access_log)


def read_limits(**given: float | None) -> Limits:
    """The limits with those that are given.

    Raises:
        UsageError: one is wrong.
    """
    from ner_head.base.params import validate
    from ner_head.server.limits import Limits

    chosen = {name: value for name, value in given.items() if value is not None}
    least = {"queue_texts": chosen.get("texts"), "queue_characters": chosen.get("characters")}
    for name, value in least.items():  # a request of the largest size must fit into the empty queue
        if value is not None and value > chosen.get(name, getattr(Limits(), name)):
            chosen[name] = value
    return validate(chosen, "serve", Limits)


def read_token(file: Path | None) -> str | None:
    """The token of a file or of the environment; None if there is none.

    Raises:
        DataError: the file cannot be read.
        UsageError: the token is empty, or has characters that a header cannot have.
    """
    if file is None:
        token, where = os.environ.get(TOKEN), TOKEN
    else:
        where = str(file)
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{where}: {getattr(error, 'strerror', None) or 'not UTF-8'}; it must hold the token"
            ) from None
    if token is not None and not (token.isascii() and token.isprintable() and token and " " not in token):
        raise UsageError(f"{where}: a token is at least one character of ASCII, without spaces")
    return token


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(serve)
