"""The `ner-head` command. Data goes to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ner_head import cli_features
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Span, write_documents
from ner_head.errors import DataError, NerHeadError, UsageError
from ner_head.openmp import wait_asleep

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)

Files = Annotated[list[str] | None, typer.Argument(help="text files, UTF-8, one document each; - is standard input")]
Text = Annotated[list[str] | None, typer.Option(help="a text given here; may be repeated")]
Language = Annotated[str | None, typer.Option(help="language of the texts (bg, cs, pl, ru ...), where known")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 = torch's own choice")]


def documents(files: list[str] | None, texts: list[str] | None, language: str | None) -> Iterator[Document]:
    """The inputs of a command, one document each, text exact (line ends too).

    Raises:
        UsageError: there is none, or a file is absent.
        DataError: a file is not UTF-8.
    """
    if not files and not texts:
        raise UsageError("nothing to read: give files, - for standard input, or --text")
    for number, text in enumerate(texts or [], 1):
        yield Document(id=f"text-{number}", text=text, language=language or UNKNOWN_LANGUAGE)
    for name in files or []:
        try:
            content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            yield Document(id=name, text=content.decode("utf-8"), language=language or UNKNOWN_LANGUAGE)
        except OSError as error:
            raise UsageError(f"{name}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{name}: not UTF-8 at byte {error.start}; convert it first") from None


def span_record(document: Document, span: Span) -> dict[str, object]:
    """A predicted span as `predict` prints it."""
    return {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "text": document.text[span.start : span.end],
        "probability": None if span.probability is None else round(span.probability, 4),
    }


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
    inputs = list(documents(files, text, language))
    recognizer = Recognizer.load(model, device, encoder=encoder, threads=threads)
    for given in inputs:
        (found,) = recognizer.recognize_documents([given], min_probability=min_probability)
        record = {
            "id": found.id,
            "language": found.language,
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
    from dataclasses import replace

    from ner_head.corpus.segment import segment
    from ner_head.features.encoder import Encoder, EncoderParams, find_model
    from ner_head.features.extract import extract
    from ner_head.features.pool import Pool
    from ner_head.features.workers import Workers
    from ner_head.params import validate
    from ner_head.runtime import RuntimeParams

    whole = [replace(d, sentences=segment(d.text, d.language)) for d in documents(files, text, language)]
    params, runtime = (
        EncoderParams(model=encoder),
        validate({"device": device, "threads": threads}, "runtime", RuntimeParams),
    )
    extract(
        whole,
        Encoder(find_model(encoder), device=runtime.start()),
        model=encoder,
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
) -> None:
    """Score annotation files as the BSNLP shared task does; golden documents that the system lacks are skipped."""
    from ner_head.evaluation import bsnlp

    for folder in (gold, system):
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    found = bsnlp.pair_directories(gold, system)
    if found.skipped:
        counts = f"golden documents: {len(found.pairs)} scored, {len(found.skipped)} skipped"
        typer.echo(f"{counts}, as the system has no file of them (the first is {found.skipped[0]})", err=True)
    typer.echo(json.dumps(found.scores(), ensure_ascii=False, indent=2) if as_json else bsnlp.table(found))


cli_features.register(app)


def main() -> None:
    """Entry point: an error that a user can mend is one line and its exit code."""
    wait_asleep()
    try:
        app()
    except NerHeadError as error:
        typer.echo(f"ner-head: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
