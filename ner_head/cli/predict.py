"""Command `predict`: find the entities of texts."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.arguments import Device, Language, Model, Text, Threads, example, model_folder, runtime_params
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ner_head.corpus.documents import Document
    from ner_head.prediction.groups import Pause

EXAMPLE = example("ner-head predict article.txt --language pl > entities.jsonl")

Sources = Annotated[
    list[str] | None, typer.Argument(help="files, folders, patterns such as 'news/*.txt'; - is standard input")
]


def predict(
    files: Sources = None,
    text: Text = None,
    model: Model = None,
    encoder: Annotated[
        str | None, typer.Option(help="folder of the encoder, if it is not where the model's manifest says")
    ] = None,
    source: Annotated[
        str, typer.Option("--from", help="what is read: text, lines, jsonl, conll, bsnlp2019 or slavicner")
    ] = "text",
    to: Annotated[str, typer.Option(help="what is written: jsonl, conll, text, html or bsnlp")] = "jsonl",
    output: Annotated[Path | None, typer.Option(help="file to write, or folder for bsnlp")] = None,
    language: Language = None,
    labels: Annotated[str | None, typer.Option(help="keep only these types, as PER,LOC")] = None,
    min_probability: Annotated[
        str,
        typer.Option(help="drop less probable spans: 0.5, or PER=0.8,ORG=0.9; see reports/thresholds.csv"),
    ] = "0",
    n_best: Annotated[int, typer.Option(min=1, help="readings of each sentence, with probabilities")] = 1,
    word_column: Annotated[int, typer.Option(min=0, help="column of the words in CoNLL files; 0 to detect it")] = 0,
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="go on after an input that cannot be read; exit with 3 at the end")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="number of processes on this machine")] = 1,
    scheduler: Annotated[str, typer.Option(help="address of a Dask scheduler whose workers compute instead")] = "",
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Find entities. Prints one JSON line per text, with character offsets into the exact text."""
    from ner_head.base.extras import require_extra
    from ner_head.cli.inputs import Inputs
    from ner_head.cli.output import check_output, counted, flushed, write_results
    from ner_head.cli.predict_options import check_name, parse_choice, read_facts
    from ner_head.corpus.languages import language_among, language_warning
    from ner_head.prediction.groups import grouped
    from ner_head.prediction.sources import SOURCES, SUFFIXES, SourceOptions
    from ner_head.prediction.writers import WRITERS

    check_name("--from", source, SOURCES)
    check_name("--to", to, WRITERS)
    choice = parse_choice(min_probability, labels)
    if n_best > 1 and to != "jsonl":
        raise UsageError(f"--n-best: --to {to} has no place for several readings; use --to jsonl")
    runtime_params(device, threads)
    check_output(to, output)
    many = workers > 1 or bool(scheduler)
    if many:
        require_extra("cluster", "dask", "distributed")
    inputs = Inputs(files or [], text or [], SUFFIXES.get(source, ()), skip=skip_errors)
    reading = SourceOptions(source, word_column=word_column)
    first = peeked(inputs.documents(reading)) if "-" not in inputs.paths else inputs.documents(reading)
    folder = model_folder(model)
    facts = read_facts(folder / "manifest.json")
    code = language_among(language, facts.languages)
    if facts.labels:
        choice.check(facts.labels)
    if warning := language_warning(code, facts.languages):
        tell(f"ner-head: {warning}")
    groups = grouped(in_language(first, code))

    from ner_head.cli.workers import Job, ModelSource, absolute, recognize_here, recognize_on_workers, threads_each

    each = threads if scheduler or not many else threads_each(threads, workers)
    job = Job(ModelSource(absolute(folder), encoder and absolute(encoder), device, each), n_best, choice)
    if many:
        results = recognize_on_workers(groups, job, workers=workers, scheduler=scheduler)
    else:
        results = recognize_here(groups, job)
    write_results(counted(flushed(results)), to, output)
    if inputs.failed:
        raise DataError(f"{inputs.failed} inputs could not be read")


def peeked(items: Iterator[Document | Pause]) -> Iterator[Document | Pause]:
    """The same items; the first is read now, so that an error in it is told before the model is loaded."""
    return chain([first] if (first := next(items, None)) is not None else [], items)


def in_language(items: Iterator[Document | Pause], language: str) -> Iterator[Document | Pause]:
    """The same items; documents of unknown language are in this one."""
    from dataclasses import replace

    from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document

    for item in items:
        if isinstance(item, Document) and item.language == UNKNOWN_LANGUAGE:
            yield replace(item, language=language)
        else:
            yield item


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(predict)
