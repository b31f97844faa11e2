"""Command `plan`: estimate the cost of an extraction."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ner_head.base.errors import ResourceError
from ner_head.cli.arguments import ParamsFile, example
from ner_head.cli.output import emit

EXAMPLE = example("ner-head plan data/prepared/train.jsonl --seconds 2")


def plan(
    files: Annotated[
        list[Path] | None, typer.Argument(help="prepared documents (JSONL); by default the corpus in the params")
    ] = None,
    params: ParamsFile = Path("params.yaml"),
    seconds: Annotated[float, typer.Option(min=0, help="time for measuring the speed of the encoder")] = 5.0,
) -> None:
    """Estimate what `dvc repro extract` needs: missing shards, bytes, time. Exits with 4 if the disk is too small."""
    from ner_head.base.params import read_params
    from ner_head.base.runtime import RuntimeParams
    from ner_head.corpus.records import read_documents
    from ner_head.features.extraction.checkpoints import local_encoder
    from ner_head.features.extraction.params import EncoderParams
    from ner_head.preparation.prepare import PrepareParams, prepare

    encoder_params = read_params(params, "encoder", EncoderParams)
    runtime = read_params(params, "runtime", RuntimeParams)
    folder = local_encoder(encoder_params.model)  # a folder, as in stage `extract`
    if files:
        documents = [document for file in files for document in read_documents(file)]
    else:
        splits = prepare(read_params(params, "prepare", PrepareParams)).splits
        documents = [document for split in splits.values() for document in split]

    from ner_head.features.extraction.encoder import Encoder  # imports torch
    from ner_head.features.extraction.estimate import estimate

    found = estimate(
        documents,
        Encoder(folder, device=runtime.start(), spec=encoder_params.spec, load=False),
        shard_words=encoder_params.shard_words,
        batch_pieces=runtime.batch_pieces,
        pool=Path(runtime.pool),
        workers=runtime.workers,
        probe_seconds=seconds,
    )
    emit({"encoder": encoder_params.model, **found.as_dict()})
    if not found.fits:
        raise ResourceError(f"{runtime.pool}: {found.bytes_to_write:,} bytes needed, {found.bytes_free:,} are free")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(plan)
