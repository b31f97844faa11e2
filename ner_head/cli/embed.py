"""Command `embed`: write the hidden states of texts as a feature store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError
from ner_head.cli.arguments import Device, Files, Language, Text, Threads, example, runtime_params
from ner_head.cli.inputs import read_texts

if TYPE_CHECKING:
    from ner_head.features.extraction.encoder import Encoder

EXAMPLE = example("ner-head embed features article.txt --encoder encoders/multilingual-e5-small")


def embed(
    output: Annotated[Path, typer.Argument(help="folder to write: shards, manifest.json, documents.jsonl")],
    files: Files = None,
    text: Text = None,
    encoder: Annotated[str, typer.Option(help="folder or hub name of the encoder")] = "encoders/multilingual-e5-small",
    language: Language = None,
    device: Device = "auto",
    threads: Threads = 0,
    quiet: Annotated[bool, typer.Option(help="show no progress")] = False,
) -> None:
    """Write the hidden layers of the encoder for texts, as a feature store."""
    from dataclasses import replace

    from ner_head.corpus.documents import UNKNOWN_LANGUAGE, write_documents
    from ner_head.corpus.languages import normalize
    from ner_head.corpus.segment import segment
    from ner_head.features.extraction.checkpoints import find_encoder

    runtime = runtime_params(device, threads)
    code = UNKNOWN_LANGUAGE if language is None else normalize(language)
    texts = read_texts(files, text)
    documents = [replace(d, language=code, sentences=segment(d.text, code)) for d in texts]
    if not any(document.sentences for document in documents):
        raise DataError("nothing to embed: no words in any text")

    folder = find_encoder(encoder)

    from ner_head.features.extraction.encoder import Encoder  # imports torch
    from ner_head.features.extraction.extract import extract
    from ner_head.features.extraction.params import EncoderParams
    from ner_head.features.extraction.pool import Pool
    from ner_head.features.extraction.workers import Workers

    loaded = Encoder(folder, device=runtime.start())
    check_output(output, loaded)
    extract(
        documents,
        loaded,
        encoder_name=encoder,
        shard_words=EncoderParams(model=encoder).shard_words,
        batch_pieces=runtime.batch_pieces,
        pool=Pool(output / "pool"),
        output=output,
        workers=Workers(show="none" if quiet else "auto"),
    )
    write_documents(output / "documents.jsonl", documents)


def check_output(output: Path, encoder: Encoder) -> None:
    """Check that the output folder has no features of another encoder.

    Raises:
        DataError: it has.
    """
    from ner_head.features.store.manifest import MANIFEST, read_manifest

    if not (output / MANIFEST).exists():
        return
    before = read_manifest(output).encoder
    if before.fingerprint != encoder.fingerprint.digest():
        raise DataError(f"{output}: holds features of another encoder ({before.model}); take another folder")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(embed)
