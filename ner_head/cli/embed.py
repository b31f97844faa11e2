"""Command `embed`: write the hidden states of texts as a feature store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.arguments import Device, Files, Language, Text, Threads, example, runtime_params
from ner_head.cli.inputs import read_texts
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document
    from ner_head.features.extraction.encoder import Encoder
    from ner_head.probing.pooling import Pool as Pooling

EXAMPLE = example("ner-head embed features article.txt --encoder encoders/multilingual-e5-small")


class Target(StrEnum):
    """What is written."""

    store = "store"
    npz = "npz"
    hewitt = "hewitt"


def embed(
    output: Annotated[
        Path, typer.Argument(help="folder to write: shards, manifest.json, documents.jsonl; or a file of --to")
    ],
    files: Files = None,
    text: Text = None,
    encoder: Annotated[str, typer.Option(help="folder or hub name of the encoder")] = "encoders/multilingual-e5-small",
    to: Annotated[Target, typer.Option(help="a feature store, a .npz file, or the HDF5 of structural-probes")] = (
        Target.store
    ),
    layers: Annotated[str, typer.Option(help="layers to write: all, last, last-4, 7 or 8-12; 0 = embeddings")] = "all",
    pool: Annotated[str, typer.Option(help="one vector per piece, word or sentence; of a file only")] = "piece",
    language: Language = None,
    device: Device = "auto",
    threads: Threads = 0,
    quiet: Annotated[bool, typer.Option(help="show no progress")] = False,
) -> None:
    """Write the hidden layers of the encoder for texts, as a feature store or a file. See docs/export.md."""
    from ner_head.base.params import validate
    from ner_head.features.extraction.checkpoints import find_encoder
    from ner_head.features.store.spec import EncoderSpec

    runtime = runtime_params(device, threads)
    # files have float32, so that they are exact; a store has the default code
    kind = {} if to is Target.store else {"dtype": "float32"}
    spec = validate({"layers": layers, **kind}, "encoder", EncoderSpec)
    rows = check_target(to, pool, output)
    documents = read_documents(files, text, language)
    folder = find_encoder(encoder)

    from ner_head.features.extraction.encoder import Encoder  # imports torch

    job = Job(documents, Encoder(folder, device=runtime.start(), spec=spec), encoder, runtime.batch_pieces, quiet)
    if to is Target.store:
        check_output(output, job.encoder)
        job.write_store(output)
    else:
        job.write_file(output, to, rows)


def check_target(to: Target, pool: str, output: Path) -> Pooling:
    """Check that the output can hold what is asked for. Returns what a vector stands for.

    Raises:
        UsageError: a store is to be pooled, a file would replace a folder, or there is no such pooling.
    """
    from ner_head.probing.pooling import check_pool

    rows = check_pool(pool)
    if to is Target.store and rows != "piece":
        raise UsageError(f"--pool {pool}: a store has a vector per piece; write --to npz or --to hewitt")
    if to is not Target.store and output.is_dir():
        raise UsageError(f"{output}: is a folder; --to {to} writes a file")
    return rows


def read_documents(files: list[str] | None, text: list[str] | None, language: str | None) -> list[Document]:
    """The texts as documents with sentences.

    Raises:
        UsageError: `language` is not a language code, or as in `read_texts`.
        DataError: no text has a word, or as in `read_texts`.
    """
    from dataclasses import replace

    from ner_head.corpus.documents import UNKNOWN_LANGUAGE
    from ner_head.corpus.languages import normalize
    from ner_head.corpus.segment import segment

    code = UNKNOWN_LANGUAGE if language is None else normalize(language)
    texts = read_texts(files, text)
    documents = [replace(d, language=code, sentences=segment(d.text, code)) for d in texts]
    if not any(document.sentences for document in documents):
        raise DataError("nothing to embed: no words in any text")
    return documents


@dataclass(frozen=True)
class Job:
    """What is embedded, and how.

    Attributes:
        documents: with sentences.
        encoder: the encoder.
        name: folder or hub name of the encoder.
        batch_pieces: pieces in a pass, padding included.
        quiet: whether to show no progress.
    """

    documents: list[Document]
    encoder: Encoder
    name: str
    batch_pieces: int
    quiet: bool

    def write_store(self, output: Path) -> None:
        """Write a feature store, with its documents."""
        from ner_head.corpus.records import write_documents
        from ner_head.features.extraction.extract import extract
        from ner_head.features.extraction.params import EncoderParams
        from ner_head.features.extraction.pool import Pool
        from ner_head.features.extraction.workers import Workers

        extract(
            self.documents,
            self.encoder,
            encoder_name=self.name,
            shard_words=EncoderParams(model=self.name).shard_words,
            batch_pieces=self.batch_pieces,
            pool=Pool(output / "pool"),
            output=output,
            workers=Workers(show="none" if self.quiet else "auto"),
        )
        write_documents(output / "documents.jsonl", self.documents)

    def write_file(self, output: Path, to: Target, pool: Pooling) -> None:
        """Write a file, through a store beside it that is removed at the end."""
        from ner_head.features.store.store import FeatureStore
        from ner_head.probing.hewitt import export_hewitt
        from ner_head.probing.npz import export_npz

        with temporary_folder(output) as place:
            self.write_store(place)
            export = export_npz if to is Target.npz else export_hewitt
            count = export(FeatureStore.open(place), output, pool=pool)
        tell(f"{output}: {count} sentences")


@contextmanager
def temporary_folder(output: Path) -> Iterator[Path]:
    """A folder beside the output, which is removed at the end.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    from ner_head.base.errors import system_error

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        place = TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.")
    except OSError as error:
        raise system_error(error, output) from None
    with place as name:
        yield Path(name)


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
