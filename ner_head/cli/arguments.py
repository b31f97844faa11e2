"""Arguments that several commands share, and checks of them. Nothing here imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.cli.output import tell

if TYPE_CHECKING:
    from ner_head.base.runtime import RuntimeParams

Files = Annotated[list[str] | None, typer.Argument(help="text files, UTF-8, one document each; - is standard input")]
Text = Annotated[list[str] | None, typer.Option(help="a text; may be repeated")]
Model = Annotated[
    str | None,
    typer.Option(
        help="folder of a trained head, or name of an installed model; by default models/head, or else the model "
        "inside of this installation"
    ),
]
Encoder = Annotated[
    str | None, typer.Option(help="folder of the encoder, if it is not where the model's manifest says")
]
Language = Annotated[str | None, typer.Option(help="language of the texts, if known, as ISO 639 code (bg, cs, pl ...)")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps")]
Threads = Annotated[int, typer.Option(min=0, help="number of CPU threads; 0 for torch's default")]
Store = Annotated[Path, typer.Argument(help="folder of a feature store")]
ParamsFile = Annotated[Path, typer.Option(help="params of the pipeline")]


def example(command: str) -> str:
    """The end of a help text: an example, which is not re-wrapped."""
    return f"\b\nExample:\n  {command}"


def runtime_params(device: str, threads: int) -> RuntimeParams:
    """The runtime params of a command.

    Raises:
        UsageError: there is no such kind of device.
    """
    from ner_head.base.params import validate
    from ner_head.base.runtime import RuntimeParams

    return validate({"device": device, "threads": threads}, "runtime", RuntimeParams)


def model_folder(model: str | None) -> Path:
    """The folder of the model of a command. Says on standard error which one is taken if none was asked for.

    Raises:
        DataError: there is no such model.
    """
    from ner_head.models import default_model, demonstration, find_model

    folder = default_model() if model is None else find_model(model)
    require_manifest(folder, mend="train one with `dvc repro`")
    if model is None and (line := demonstration(folder)):
        tell(f"ner-head: {line}")
    return folder


def require_manifest(directory: Path, *, mend: str) -> Path:
    """The path of the `manifest.json` of a model or a feature store.

    Raises:
        DataError: there is none.
    """
    from ner_head.base.errors import system_error

    path = directory / "manifest.json"
    try:
        path.stat()
    except OSError as error:
        raise system_error(error, path, mend=mend) from None
    return path
