"""Command `convert`: documents from and to the files of annotation tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.arguments import example
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from ner_head.conversion import Losses, Options
    from ner_head.conversion.comparison import Comparison
    from ner_head.corpus.documents import Document

EXAMPLE = example("ner-head convert export.json corpus.jsonl --from label-studio --to jsonl")
NAMES = "label-studio, doccano, brat, webanno, xmi, spacy, conll, bsnlp, jsonl"
SHOWN = 3  # examples of each kind of loss


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="file or folder")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="file, or new folder for brat, webanno, xmi and bsnlp")],
    form: Annotated[str, typer.Option("--from", help=f"format of IN: {NAMES}, slavicner")],
    to: Annotated[str, typer.Option("--to", help=f"format of OUT: {NAMES}")],
    compare_with: Annotated[
        Path | None,
        typer.Option(help="predictions that IN corrects: count what was accepted, changed, removed and new"),
    ] = None,
    compare_format: Annotated[str, typer.Option(help="format of the predictions")] = "jsonl",
    strict: Annotated[bool, typer.Option("--strict", help="exit with 3 if OUT lacks something of IN")] = False,
    report: Annotated[Path | None, typer.Option(help="file for all losses and changes, as JSON")] = None,
    take: Annotated[str, typer.Option(help="label-studio: read auto, annotations or predictions")] = "auto",
    predictions: Annotated[
        bool | None, typer.Option("--predictions/--annotations", help="label-studio: what spans are written as")
    ] = None,
    text_field: Annotated[str, typer.Option(help="label-studio: key of the text in the data of a task")] = "",
    offsets: Annotated[str, typer.Option(help="doccano: what offsets count: utf-16, characters, graphemes")] = "utf-16",
    layer: Annotated[str, typer.Option(help="webanno, xmi: layer of the mentions; default: NamedEntity")] = "",
    feature: Annotated[str, typer.Option(help="webanno, xmi: feature that is the label")] = "value",
    scheme: Annotated[str, typer.Option(help="conll: IOB2, IOB1 or BIOES")] = "IOB2",
    columns: Annotated[int, typer.Option(help="conll: number of columns; 10 keeps the texts exactly")] = 2,
) -> None:
    """Convert documents from and to the files of annotation tools. What OUT cannot hold is counted and listed."""
    from ner_head import conversion

    options = checked_options(take, predictions, text_field, offsets, layer, feature, scheme, columns)
    conversion.tool_of(form)
    conversion.tool_of(to, writes=True)
    losses = conversion.Losses()
    number = Counted()
    documents = number.of(conversion.read(source, form, losses, options))
    compared = None
    if compare_with is not None:
        from dataclasses import replace

        from ner_head.conversion.comparison import compare

        kept = list(documents)
        compared = compare(kept, conversion.read(compare_with, compare_format, None, replace(options, take="auto")))
        documents = iter(kept)
    conversion.write(documents, target, to, losses, options)
    wrote = f"wrote {target}: {number.documents:,} documents, {number.spans:,} mentions"
    tell("\n".join([wrote, *losses.notices, *loss_lines(losses), *(compared.lines() if compared else [])]))
    if report is not None:
        write_report(report, losses, compared)
    if strict and losses.found:
        raise DataError(f"--strict: {sum(losses.counts().values()):,} losses in {target}")


class Counted:
    """Counts documents and mentions as they pass."""

    def __init__(self) -> None:
        self.documents = self.spans = 0

    def of(self, documents: Iterator[Document]) -> Iterator[Document]:
        """The same documents."""
        for document in documents:
            self.documents += 1
            self.spans += len(document.spans)
            yield document


def checked_options(
    take: str,
    predicted: bool | None,
    text_field: str,
    offsets: str,
    layer: str,
    feature: str,
    scheme: str,
    columns: int,
) -> Options:
    """The options of a conversion.

    Raises:
        UsageError: one of them has no such value.
    """
    from typing import cast, get_args

    from ner_head.cli.predict_options import check_name
    from ner_head.conversion.tool import LAYER, Offsets, Options, Scheme, Take

    check_name("--take", take, get_args(Take))
    check_name("--offsets", offsets, get_args(Offsets))
    check_name("--scheme", scheme, get_args(Scheme))
    if not 2 <= columns <= 10:
        raise UsageError(f"--columns: between 2 and 10, got {columns}")
    return Options(
        take=cast(Take, take),
        text_field=text_field,
        offsets=cast(Offsets, offsets),
        layer=layer or LAYER,
        feature=feature,
        predicted=predicted,
        scheme=cast(Scheme, scheme),
        columns=columns,
    )


def loss_lines(losses: Losses) -> list[str]:
    """The number of losses of each kind, with examples."""
    from ner_head.corpus.shown import short

    lines = []
    for kind, count in losses.counts().items():
        lines.append(f"lost: {count:,} {kind}")
        found = [loss for loss in losses.found if loss.kind == kind]
        for loss in found[:SHOWN]:
            detail = " ".join(filter(None, (loss.form, loss.detail)))
            lines.append(f"  {short(loss.document)}: {detail!r:.100}")
        if len(found) > SHOWN:
            lines.append(f"  and {len(found) - SHOWN:,} more; --report FILE lists all")
    return lines


def write_report(path: Path, losses: Losses, compared: Comparison | None) -> None:
    """Write all losses, and what became of each predicted mention, as JSON.

    Raises:
        ResourceError: the file cannot be written.
    """
    from dataclasses import asdict

    from ner_head.base.files import write_whole

    content = losses.report()
    if compared is not None:
        content["compared"] = {"mentions": compared.counts(), **asdict(compared)}
    write_whole(path, (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(convert)
