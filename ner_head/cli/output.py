"""Output of the commands: results on standard output or in a file, messages on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ner_head.base.errors import UsageError, harmless, system_error

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document

Print = Callable[[str], None]


def emit(record: object) -> None:
    """Print a record as one JSON line."""
    typer.echo(json.dumps(record, ensure_ascii=False))


def tell(message: str) -> None:
    """Print a message on standard error."""
    typer.echo(harmless(message), err=True)


def write_results(documents: Iterable[Document], form: str, output: Path | None) -> None:
    """Write predicted documents in a format of `prediction.writers`.

    Args:
        documents: the documents.
        form: name of the format.
        output: a file, which is replaced when all is written; a folder for `bsnlp`; None for standard output.
    Raises:
        UsageError: the folder has files already.
        NerHeadError: the output cannot be written.
    """
    from ner_head.prediction.writers import WRITERS

    if output is not None and form == "bsnlp":
        write_folder(documents, output)
    elif output is None and form == "text" and sys.stdout.isatty():
        print_coloured(documents)
    else:
        with replaced(output) as write:
            for part in WRITERS[form](documents):
                write(part)


def check_output(form: str, output: Path | None) -> None:
    """Check the output before anything is computed.

    Raises:
        UsageError: it is a folder and should be a file, or is a folder with files for `bsnlp`.
    """
    if output is None:
        return
    if form == "bsnlp":
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise UsageError(f"--output {output}: --to bsnlp writes a new folder, and this is there already")
    elif output.is_dir():
        raise UsageError(f"--output {output}: is a folder; give a file")


@contextmanager
def replaced(output: Path | None) -> Iterator[Print]:
    """A function that writes to a file, which is replaced at the end, or to standard output, which is flushed.

    A pipe or a device is written directly.
    """
    from ner_head.base.files import whole_file

    if output is None:
        yield lambda part: print(part, end="")
        return
    try:
        if output.exists() and not output.is_file():
            with output.open("w", encoding="utf-8", newline="\n") as pipe:
                yield lambda part: print(part, end="", file=pipe)
            return
        output.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(output) as handle:
            utf8 = TextIOWrapper(handle, encoding="utf-8", errors="backslashreplace", newline="\n")
            yield lambda part: print(part, end="", file=utf8)
            utf8.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise system_error(error, output) from None


def write_folder(documents: Iterable[Document], folder: Path) -> None:
    """Write a folder of annotations of the BSNLP shared task, TOPIC/LANGUAGE/ID.out. It appears when it is complete."""
    import shutil
    import tempfile

    from ner_head.evaluation.bsnlp_documents import write_predictions

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            write_predictions(Path(temporary, folder.name), documents)
            if folder.is_dir():
                folder.rmdir()
            shutil.move(Path(temporary, folder.name), folder)
    except OSError as error:
        raise system_error(error, folder) from None


def print_coloured(documents: Iterable[Document]) -> None:
    """Print texts with their entities coloured; without colours if NO_COLOR is set."""
    from rich.console import Console
    from rich.text import Text

    from ner_head.prediction.writers import heading, note, segments

    console = Console(highlight=False)
    colours = ("blue", "red", "green", "magenta", "yellow", "cyan")
    hues: dict[str, str] = {}
    for document in documents:
        line = Text()
        for plain, span in segments(document):
            if span is None:
                line.append(plain)
                continue
            hue = hues.setdefault(span.label, colours[len(hues) % len(colours)])
            line.append(f"[{plain}", style=f"bold {hue}").append(f" {note(span)}]", style=hue)
        console.print(Text(heading(document), style="dim"), soft_wrap=True)
        console.print(line, soft_wrap=True)
        console.print()


def flushed(groups: Iterable[list[Document]]) -> Iterator[Document]:
    """The documents of groups; standard output is flushed after each group, before the next one is computed."""
    for group in groups:
        yield from group
        sys.stdout.flush()


def counted(documents: Iterable[Document], *, seconds: float = 2.0) -> Iterator[Document]:
    """The same documents, with their number on standard error if that is a terminal and standard output is not.

    Args:
        documents: the documents.
        seconds: time after which the number is first shown.
    """
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield from documents
        return
    import time

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    number, characters, start = 0, 0, time.monotonic()
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=False) as bar:
        task = bar.add_task("", total=None, visible=False)
        for document in documents:
            yield document
            number, characters, spent = number + 1, characters + len(document.text), time.monotonic() - start
            if spent > seconds:
                rate = f"{number:,} documents, {characters:,} characters, {characters / spent:,.0f}/s"
                bar.update(task, description=rate, visible=True)
