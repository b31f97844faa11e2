"""Command `suggest`: the documents to annotate next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.arguments import Device, Encoder, Language, Model, ParamsFile, Threads, example, model_folder
from ner_head.cli.curation_options import AsJson, Prepared, To, check_form, write_annotated
from ner_head.cli.output import check_output, emit, tell

if TYPE_CHECKING:
    from ner_head.base.runtime import RuntimeParams
    from ner_head.corpus.documents import Document

EXAMPLE = example("ner-head suggest articles/ -n 20 --to label-studio --output tasks.json")


def suggest(
    files: Annotated[list[str], typer.Argument(help="texts that nobody annotated: files, folders, patterns")],
    number: Annotated[int, typer.Option("-n", min=1, help="number of documents to suggest")] = 100,
    source: Annotated[str, typer.Option("--from", help="what is read: text, lines, jsonl, conll ...")] = "text",
    output: Annotated[
        Path | None,
        typer.Option(help="file or new folder of pre-annotated documents; by default only a table is printed"),
    ] = None,
    model: Model = None,
    encoder: Encoder = None,
    to: To = "jsonl",
    criterion: Annotated[
        str, typer.Option("--by", help="entropy of the tag paths, or expected number of wrong spans: entropy, errors")
    ] = "entropy",
    prepared: Prepared = Path("data/prepared"),
    folder: Annotated[Path, typer.Option(help="folder of the feature store of the texts")] = Path("data/unlabelled"),
    params: ParamsFile = Path("params.yaml"),
    language: Language = None,
    device: Device = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Choose the texts to annotate next: those that the model is least sure of, and that differ from each other.

    No two of them, and none of them and a prepared document, are near copies. Features are kept in the pool, so the
    encoder runs once over a text.
    """
    from ner_head.base.extras import require_extra

    require_extra("train", "scipy")
    if criterion not in ("entropy", "errors"):
        raise UsageError(f"--by: entropy or errors is expected, got {criterion!r}")
    check_form(to)
    if to == "jsonl":
        check_output(to, output)
    runtime = runtime_of(params, device, threads)
    known = read_texts(files, source, language)
    place = model_folder(model)
    annotated = prepared_documents(prepared)

    from ner_head.curation.batch import suggest as run
    from ner_head.curation.unlabelled import open_texts

    texts = open_texts(known, place, folder, runtime=runtime, encoder=encoder)
    tell(f"{texts.n_computed:,} word pieces were computed by the encoder; the other features are cached")
    found = run(texts, number, criterion="errors" if criterion == "errors" else "entropy", annotated=annotated)
    if len(found) < number:
        tell(f"note: {len(found):,} of {number:,} documents: the rest of the {len(known):,} texts are near copies")
    show(found, output, to, as_json=as_json)


def show(found: list[Document], output: Path | None, to: str, *, as_json: bool) -> None:
    """Print the suggestions, and write them if there is an output."""
    if as_json:
        for document in found:
            emit(document.to_dict())
    elif output is None:
        typer.echo(table(found))
    if output is not None:
        write_annotated(found, output, to)
        tell(f"{output}: {len(found):,} documents, the most useful first")


def runtime_of(params: Path, device: str, threads: int) -> RuntimeParams:
    """The runtime params of the project, if there is one, with the options of the command."""
    from ner_head.base.params import read_params
    from ner_head.base.runtime import RuntimeParams
    from ner_head.cli.arguments import runtime_params

    given = runtime_params(device, threads)
    if not params.is_file():
        return given
    mine = read_params(params, "runtime", RuntimeParams)
    changes = {"device": given.device} if device != "auto" else {}
    return mine.model_copy(update={**changes, **({"threads": threads} if threads else {})})


def read_texts(files: list[str], source: str, language: str | None) -> list[Document]:
    """The documents of files that have a text; those of unknown language are in the given one.

    Raises:
        UsageError: there is no such source, file or language.
        DataError: a file cannot be read, or there is no text.
    """
    from dataclasses import replace

    from ner_head.cli.inputs import Inputs
    from ner_head.cli.predict_options import check_name
    from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
    from ner_head.corpus.languages import language_among
    from ner_head.prediction.sources import SOURCES, SUFFIXES, SourceOptions

    check_name("--from", source, SOURCES)
    items = Inputs(files, [], SUFFIXES.get(source, ())).documents(SourceOptions(source))
    documents = [item for item in items if isinstance(item, Document) and item.text.strip()]
    if not documents:
        raise DataError("no text in these files, so there is nothing to suggest")
    code = language_among(language, [])
    return [replace(d, language=code) if d.language == UNKNOWN_LANGUAGE else d for d in documents]


def prepared_documents(folder: Path) -> list[Document]:
    """The prepared documents of all splits that are there."""
    from ner_head.corpus.records import read_documents

    paths = [folder / f"{split}.jsonl" for split in ("train", "dev", "test")]
    if not any(path.is_file() for path in paths):
        tell(f"note: {folder}: no prepared documents, so copies of annotated texts are not left out")
    return [document for path in paths if path.is_file() for document in read_documents(path)]


def table(documents: list[Document]) -> str:
    """The suggestions as text: rank, uncertainty, numbers of words and predicted spans, and id."""
    lines = [f"{'':>5}{'uncertainty':>13}{'words':>8}{'spans':>7}  document"]
    for rank, document in enumerate(documents, 1):
        n_words = sum(len(sentence.words) for sentence in document.sentences)
        value = document.extra["uncertainty"]
        lines.append(f"{rank:>5}{value:>13.4f}{n_words:>8,}{len(document.spans):>7,}  {document.id}")
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(suggest)
