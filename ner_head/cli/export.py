"""Command `export onnx`: write a model for onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ner_head.cli.arguments import Encoder, Model, example, model_folder
from ner_head.cli.output import emit

EXAMPLE = example("ner-head export onnx models/onnx --model models/head")


def onnx(
    output: Annotated[Path, typer.Argument(help="folder to write; it must not exist yet")],
    model: Model = None,
    encoder: Encoder = None,
) -> None:
    """Write encoder and head as one ONNX graph, with all that decoding needs. See docs/export.md."""
    from ner_head.base.extras import require_extra
    from ner_head.base.files import check_new

    require_extra("onnx", "onnx", "onnxscript", "onnxruntime")
    check_new(output)
    folder = model_folder(model)

    from ner_head.inference.saved_model import ModelManifest, SavedModel  # imports torch
    from ner_head.onnx.export import export_onnx
    from ner_head.recognizer import Recognizer

    recognizer = Recognizer.load(folder, "cpu", encoder=encoder)  # checks that the encoder is that of the head
    record = ModelManifest.read(folder)
    manifest = export_onnx(SavedModel(record, recognizer.tagger.head), recognizer.encoder, output)
    emit({"folder": str(output), "bytes": {name: (output / name).stat().st_size for name in manifest.files}})


def register(app: typer.Typer) -> None:
    """Add the group of commands to the command line."""
    group = typer.Typer(help="Write a model for other programs.", no_args_is_help=True, rich_markup_mode=None)
    group.command("onnx", epilog=EXAMPLE)(onnx)
    app.add_typer(group, name="export", epilog=EXAMPLE)
