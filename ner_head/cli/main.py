"""The `ner-head` command. Data goes to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ner_head.base import entry
from ner_head.base.errors import DataError, UsageError
from ner_head.base.openmp import wait_asleep
from ner_head.cli import features as cli_features
from ner_head.cli import fetch as cli_fetch
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Span, write_documents


class Stopped(BaseException):
    """Carries an interrupt or a closed pipe past typer, which would answer them itself, to `entry.run`."""


class Commands(TyperGroup):
    """The commands."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise Stopped from error


app = typer.Typer(
    cls=Commands,
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Files = Annotated[list[str] | None, typer.Argument(help="text files, UTF-8, one document each; - is standard input")]
Text = Annotated[list[str] | None, typer.Option(help="a text given here; may be repeated")]
Language = Annotated[str | None, typer.Option(help="language of the texts, by ISO 639 (bg, cs, pl ...), where known")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 = torch's own choice")]


def documents(files: list[str] | None, texts: list[str] | None) -> list[Document]:
    """The inputs of a command, one document each, text exact (line ends too); those without words are named.

    Raises:
        UsageError: there is none, one is given twice, a text is not UTF-8, or a file cannot be read.
        DataError: a file is not UTF-8.
    """
    if not files and not texts:
        raise UsageError("nothing to read: give files, - for standard input, or --text")
    names = [f"text-{number}" for number in range(1, len(texts or []) + 1)]
    names += [os.fsencode(name).decode(errors="backslashreplace") for name in files or []]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"{twice[0]}: given twice; every text needs an id of its own")
    contents = [given_text(number, text) for number, text in enumerate(texts or [], 1)]
    contents += [read_file(name) for name in files or []]
    for name, text in zip(names, contents, strict=True):
        if not text.strip():
            typer.echo(f"ner-head: {name}: no text in it", err=True)
    return [Document(id=name, text=text) for name, text in zip(names, contents, strict=True)]


def given_text(number: int, text: str) -> str:
    """A text of the command line, where bytes that are not UTF-8 have become lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"--text {number}: not UTF-8 at character {error.start}; give a file in UTF-8") from None
    return text


def read_file(name: str) -> str:
    """A file's text, or that of standard input."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        utf16 = " (it is UTF-16)" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ""
        raise DataError(f"{name}: not UTF-8 at byte {error.start}{utf16}; convert it first") from None


def span_record(document: Document, span: Span) -> dict[str, object]:
    """A predicted span as `predict` prints it."""
    return {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "text": document.text[span.start : span.end],
        "probability": rounded(span.probability),
    }


def rounded(probability: float | None) -> float | None:
    """A probability as it is printed."""
    return None if probability is None else round(probability, 4)


@app.command()
def predict(
    files: Files = None,
    text: Text = None,
    model: Annotated[Path, typer.Option(help="folder of a trained head")] = Path("models/head"),
    encoder: Annotated[str | None, typer.Option(help="another place of the encoder that the head names")] = None,
    language: Language = None,
    min_probability: Annotated[
        float, typer.Option(help="leave out less probable spans; reports/thresholds.csv says what that costs")
    ] = 0.0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Find entities: one JSON line per text, with character offsets into exactly that text."""
    from ner_head.recognizer import Recognizer

    if not 0 <= min_probability <= 1:
        raise UsageError(f"--min-probability: must be between 0 and 1, got {min_probability}")
    inputs = documents(files, text)
    recognizer = Recognizer.load(model, device, encoder=encoder, threads=threads)
    known = recognizer.language_code(language)
    if line := recognizer.doubt(known):
        typer.echo(f"ner-head: {line}", err=True)
    for given in inputs:
        one = replace(given, language=known)
        (found,) = recognizer.recognize_documents([one], min_probability=min_probability)
        record = {
            "id": found.id,
            "language": found.language,
            "language_probability": rounded(found.language_probability),
            "text": found.text,
            "spans": [span_record(found, span) for span in found.spans],
        }
        typer.echo(json.dumps(record, ensure_ascii=False))


@app.command()
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
    """Write the encoder's hidden layers of some texts as a feature store."""
    from ner_head.base.params import validate
    from ner_head.base.runtime import RuntimeParams
    from ner_head.corpus.languages import normalize
    from ner_head.corpus.segment import segment
    from ner_head.features.extraction.checkpoints import find_encoder
    from ner_head.features.extraction.encoder import Encoder
    from ner_head.features.extraction.extract import extract
    from ner_head.features.extraction.params import EncoderParams
    from ner_head.features.extraction.pool import Pool
    from ner_head.features.extraction.workers import Workers
    from ner_head.features.store.store import MANIFEST, read_manifest

    known = UNKNOWN_LANGUAGE if language is None else normalize(language)
    whole = [replace(d, language=known, sentences=segment(d.text, known)) for d in documents(files, text)]
    if not any(document.sentences for document in whole):
        raise DataError("nothing to embed: no words in any text")
    params = EncoderParams(model=encoder)
    runtime = validate({"device": device, "threads": threads}, "runtime", RuntimeParams)
    loaded = Encoder(find_encoder(encoder), device=runtime.start())
    if (output / MANIFEST).exists():
        before = read_manifest(output).encoder
        if before.fingerprint != loaded.fingerprint.digest():
            raise DataError(f"{output}: holds features of another encoder ({before.model}); take another folder")
    extract(
        whole,
        loaded,
        encoder_name=encoder,
        shard_words=params.shard_words,
        batch_pieces=runtime.batch_pieces,
        pool=Pool(output / "pool"),
        output=output,
        workers=Workers(show="none" if quiet else "auto"),
    )
    write_documents(output / "documents.jsonl", whole)


@app.command()
def score(
    gold: Annotated[Path, typer.Argument(help="folder of the golden files: TOPIC/LANGUAGE/FILE, id in the first line")],
    system: Annotated[Path, typer.Argument(help="folder of the system's, such as reports/bsnlp")],
    as_json: Annotated[bool, typer.Option("--json", help="all slices, as one JSON object")] = False,
    by_name: Annotated[
        bool, typer.Option(help="pair by names of files without suffix, not by the ids in their first lines")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option(help="score, although more than half of the golden documents is skipped")
    ] = False,
) -> None:
    """Score annotation files as the BSNLP shared task does; golden documents that the system lacks are skipped."""
    from ner_head.evaluation import bsnlp

    for folder in (gold, system):
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    found = bsnlp.pair_directories(gold, system, by_name=by_name)
    if not any(pair.gold for pair in found.pairs):
        raise DataError(f"{gold}: no annotation in it, so there is nothing to score against")
    if found.ignored:
        typer.echo(f"rows ignored: {len(found.ignored)} (the first is {found.ignored[0]!r:.200})", err=True)
    if found.skipped:
        counts = f"golden documents: {len(found.pairs)} scored, {len(found.skipped)} skipped"
        line = f"{counts}, as the system has no file of them (the first is {found.skipped[0]})"
        if found.mostly_skipped and not allow_missing:
            raise DataError(f"{line}; --by-name pairs by names of files, --allow-missing scores the few that there are")
        typer.echo(line, err=True)
    typer.echo(json.dumps(found.scores(), ensure_ascii=False, indent=2) if as_json else bsnlp.table(found))


cli_features.register(app)
cli_fetch.register(app)


def main() -> None:
    """Entry point."""
    wait_asleep()
    entry.run(commands, name="ner-head")


def commands() -> None:
    """Run the command line."""
    try:
        app()
    except Stopped as stopped:
        raise stopped.__cause__ or stopped from None


if __name__ == "__main__":
    main()
