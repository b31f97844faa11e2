"""Command `init`: write the params of the pipeline for a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ner_head.base.errors import UsageError
from ner_head.base.files import portable
from ner_head.cli.arguments import example
from ner_head.cli.output import tell

EXAMPLE = example("ner-head init corpus.conll --project my-ner")
PART = "a share such as 0.2, or topics, documents and patterns, separated by commas"


def init(
    corpus: Annotated[Path, typer.Argument(help="file or folder with annotated documents")],
    project: Annotated[
        Path | None, typer.Option(help="folder of a new project: params.yaml, dvc.yaml, encoder; default: this folder")
    ] = None,
    corpus_format: Annotated[
        str | None, typer.Option("--format", help="format of the corpus, as in prepare.format; default: detected")
    ] = None,
    dev: Annotated[str | None, typer.Option(help=f"{PART}; default: 0.2, or topics called dev")] = None,
    test: Annotated[str | None, typer.Option(help=f"{PART}; default: none, or topics called test")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the documents that shares take")] = 0,
) -> None:
    """Set the pipeline up for a corpus: detect its format, split it, and write params.yaml.

    Near copies stay in one split. With --project, a new project is written, in which `dvc repro` trains.
    """
    from ner_head.base.params import validate
    from ner_head.conversion.recognition import tool_name
    from ner_head.formats import FORMATS
    from ner_head.preparation.detection import detect
    from ner_head.preparation.prepare import PrepareParams, prepare, table
    from ner_head.project.corpus_params import choose_splits, describe, prepare_changes, write_prepare
    from ner_head.project.layout import check_new, lay_out

    if corpus_format is not None and corpus_format not in FORMATS:
        raise UsageError(f"--format: unknown format {corpus_format!r}; formats are {', '.join(FORMATS)}")
    parts = part("--dev", dev), part("--test", test)
    home = Path() if project is None else project
    params = home / "params.yaml"
    if project is None and not params.is_file():
        raise UsageError("params.yaml: no such file; give a folder for a new project (--project DIR)")
    if project is not None:
        check_new(project)
    if corpus_format is None and (tool := tool_name(corpus)):
        command = f"ner-head convert {corpus} corpus.jsonl --from {tool} --to jsonl"
        raise UsageError(f"{corpus}: files of {tool}; convert them first: {command}")
    detected = detect(corpus, FORMATS if corpus_format is None else [corpus_format])
    tell("\n".join(describe(detected)))
    topics = sorted({document.topic for document in detected.documents})
    splits = choose_splits(topics, *parts, seed)
    changes = prepare_changes(detected, source_name(corpus, home), splits)
    prepared = prepare(validate({**changes, "source": str(corpus)}, "prepare", PrepareParams))
    if project is not None:
        lay_out(project)
    write_prepare(params, changes)
    tell(table(prepared.report()))
    tell(f"wrote {params}; now run: " + ("" if project is None else f"cd {project} && ") + "dvc repro")


def part(option: str, value: str | None) -> float | list[str] | None:
    """The share or the names that an option gives.

    Raises:
        UsageError: the share is not between 0 and 1, or there is no name.
    """
    if value is None:
        return None
    try:
        share = float(value)
    except ValueError:
        names = [name.strip() for name in value.split(",") if name.strip()]
        if not names:
            raise UsageError(f"{option}: no name in {value!r}") from None
        return names
    if not 0 <= share < 1:
        raise UsageError(f"{option}: a share is at least 0 and less than 1, got {value}")
    return share or []


def source_name(corpus: Path, home: Path) -> str:
    """`prepare.source` of a project: relative to the project if the corpus is inside of it, else absolute."""
    absolute, root = corpus.absolute(), home.absolute()
    return portable(str(absolute.relative_to(root) if absolute.is_relative_to(root) else absolute))


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(init)
