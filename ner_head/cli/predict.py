"""Command `predict`: find the entities of texts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.arguments import (
    Device,
    Encoder,
    Language,
    Model,
    Text,
    Threads,
    example,
    model_folder,
    runtime_params,
)
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from ner_head.cli.workers import Job
    from ner_head.corpus.documents import Document
    from ner_head.prediction.groups import Pause

EXAMPLE = example("ner-head predict article.txt --language pl > entities.jsonl")

Sources = Annotated[
    list[str] | None, typer.Argument(help="files, folders, patterns such as 'news/*.txt'; - is standard input")
]
From = Annotated[str, typer.Option("--from", help="what is read: text, lines, jsonl, conll, bsnlp2019 or slavicner")]
To = Annotated[str, typer.Option(help="what is written: jsonl, conll, text, html or bsnlp")]
Output = Annotated[Path | None, typer.Option(help="file to write, or folder for bsnlp")]
Labels = Annotated[str | None, typer.Option(help="keep only these types, as PER,LOC")]
Least = Annotated[
    str, typer.Option(help="drop less probable spans: 0.5, or PER=0.8,ORG=0.9; see reports/thresholds.csv")
]
Precision = Annotated[
    float | None,
    typer.Option(help="keep spans of about this precision, such as 0.95, by the thresholds found on dev"),
]
NBest = Annotated[int, typer.Option(min=1, help="readings of each sentence, with probabilities")]
WordColumn = Annotated[int, typer.Option(min=0, help="column of the words in CoNLL files; 0 to detect it")]
Skip = Annotated[
    bool, typer.Option("--skip-errors", help="go on after an input that cannot be read; exit with 3 at the end")
]
Workers = Annotated[int, typer.Option(min=1, help="number of processes on this machine")]
Scheduler = Annotated[str, typer.Option(help="address of a Dask scheduler whose workers compute instead")]


def predict(
    files: Sources = None,
    text: Text = None,
    model: Model = None,
    encoder: Encoder = None,
    source: From = "text",
    to: To = "jsonl",
    output: Output = None,
    language: Language = None,
    labels: Labels = None,
    min_probability: Least = "0",
    precision: Precision = None,
    n_best: NBest = 1,
    word_column: WordColumn = 0,
    skip_errors: Skip = False,
    workers: Workers = 1,
    scheduler: Scheduler = "",
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Find entities. Prints one JSON line per text, with character offsets into the exact text."""
    from ner_head.cli import workers as processes
    from ner_head.cli.inputs import Inputs
    from ner_head.cli.output import counted, flushed, write_results
    from ner_head.cli.predict_options import ordered_choice, parse_choice
    from ner_head.prediction.sources import SUFFIXES, SourceOptions

    check_formats(source, to, output, n_best=n_best)
    runtime_params(device, threads)
    choice = parse_choice(min_probability, labels, precision)
    many = workers > 1 or bool(scheduler)
    if many:
        processes.require()
        threads = threads if scheduler else processes.threads_each(threads, workers)
    inputs = Inputs(files or [], text or [], SUFFIXES.get(source, ()), skip=skip_errors)
    documents = inputs.documents(SourceOptions(source, word_column=word_column))
    if "-" not in inputs.paths:
        documents = peeked(documents)
    folder = model_folder(model)
    choice = ordered_choice(folder, precision, choice)
    where = processes.ModelSource(processes.absolute(folder), encoder and processes.absolute(encoder), device, threads)
    job = processes.Job(where, n_best, choice)
    groups = in_groups(documents, check_model(folder, job, language))
    if many:
        results = processes.recognize_on_workers(groups, job, workers=workers, scheduler=scheduler)
    else:
        results = processes.recognize_here(groups, job, few=not files)
    write_results(counted(flushed(results)), to, output)
    if inputs.failed:
        raise DataError(f"{inputs.failed} inputs could not be read")


def check_formats(source: str, to: str, output: Path | None, *, n_best: int) -> None:
    """Check the names of the formats, and that the output fits.

    Raises:
        UsageError: there is no such format, or it cannot hold readings or be written there.
    """
    from ner_head.cli.output import check_output
    from ner_head.cli.predict_options import check_name
    from ner_head.prediction.sources import SOURCES
    from ner_head.prediction.writers import WRITERS

    check_name("--from", source, SOURCES)
    check_name("--to", to, WRITERS)
    if n_best > 1 and to != "jsonl":
        raise UsageError(f"--n-best: --to {to} has no place for several readings; use --to jsonl")
    check_output(to, output)


def check_model(folder: Path, job: Job, language: str | None) -> str:
    """Check labels and language against the manifest of a model. Returns the code of the language.

    Raises:
        UsageError: the model has no such label, or the language is no language code.
    """
    from ner_head.cli.predict_options import read_facts
    from ner_head.corpus.languages import language_among, language_warning

    facts = read_facts(folder / "manifest.json")
    code = language_among(language, facts.languages)
    if facts.labels:
        job.choice.check(facts.labels)
    if warning := language_warning(code, facts.languages):
        tell(f"ner-head: {warning}")
    return code


def peeked(items: Iterator[Document | Pause]) -> Iterator[Document | Pause]:
    """The same items; the first is read now, so that an error in it is told before the model is loaded."""
    return chain([first] if (first := next(items, None)) is not None else [], items)


def in_groups(items: Iterator[Document | Pause], language: str) -> Iterator[list[Document]]:
    """Groups of the documents; those of unknown language are in this one."""
    from dataclasses import replace

    from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
    from ner_head.prediction.groups import grouped

    def known(item: Document | Pause) -> Document | Pause:
        if isinstance(item, Document) and item.language == UNKNOWN_LANGUAGE:
            return replace(item, language=language)
        return item

    return grouped(map(known, items))


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(predict)
