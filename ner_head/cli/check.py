"""Command `check`: look at a corpus before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError, UsageError
from ner_head.cli.arguments import ParamsFile, example
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from ner_head.checks.check import Corpus, Tokenization

EXAMPLE = example("ner-head check data/sample")
SHOWN = 5  # findings of each kind


def check(
    corpus: Annotated[
        Path | None, typer.Argument(help="file or folder with annotated documents; by default the corpus in the params")
    ] = None,
    params: ParamsFile = Path("params.yaml"),
    corpus_format: Annotated[
        str | None, typer.Option("--format", help="format of CORPUS, as in prepare.format; default: detected")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="list all findings, not the first of each kind")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print all findings with all places as one JSON object")
    ] = False,
) -> None:
    """Check a corpus: counts, near copies and leakage, inconsistent annotations, and characters that cause trouble.

    Errors end with exit code 3. With warnings alone it is 0.
    """
    import json

    from ner_head.base.extras import require_extra

    require_extra("train", "scipy")
    wanted = chosen(corpus, params, corpus_format)

    from ner_head.checks.check import check as run

    report = run(wanted, tokenization(params))
    if as_json:
        typer.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    else:
        typer.echo(report.table(0 if every else SHOWN))
    if n_errors := report.number("error"):
        raise DataError(f"{wanted.source}: {n_errors:,} errors; see above")


def chosen(corpus: Path | None, params: Path, corpus_format: str | None) -> Corpus:
    """The corpus to check: that of the params, with its splits, or another one as a whole.

    Raises:
        UsageError: there is no such corpus, or no such format.
        DataError: the format cannot be detected.
    """
    from ner_head.base.params import read_params
    from ner_head.checks.check import Corpus
    from ner_head.formats import FORMATS
    from ner_head.preparation.detection import detect
    from ner_head.preparation.prepare import PrepareParams

    if corpus_format is not None and corpus_format not in FORMATS:
        raise UsageError(f"--format: unknown format {corpus_format!r}; formats are {', '.join(FORMATS)}")
    if corpus is None or (corpus_format is None and params.is_file()):
        prepare = read_params(params, "prepare", PrepareParams)
        source = Path(prepare.source)
        if corpus is None or corpus.resolve() == source.resolve():
            if not source.exists():
                raise UsageError(f"prepare.source: {source}: no such file or folder")
            return Corpus(source, prepare.format, prepare.reader_options(), prepare.splits, prepare.max_words)
    if not corpus.exists():
        raise UsageError(f"{corpus}: no such file or folder")
    return Corpus(corpus, corpus_format or detect(corpus).format)


def tokenization(params: Path) -> Tokenization | None:
    """The tokenizer of the encoder in the params; None, with a line on standard error, if it is not here."""
    from ner_head.base.errors import NerHeadError
    from ner_head.base.params import read_params
    from ner_head.features.extraction.params import EncoderParams

    if not params.is_file():
        tell(f"ner-head: {params}: no such file, so characters and lengths are not checked with a tokenizer")
        return None
    encoder = read_params(params, "encoder", EncoderParams)
    from ner_head.checks.check import Tokenization
    from ner_head.features.extraction.checkpoints import local_encoder

    try:
        folder = local_encoder(encoder.model)
    except NerHeadError as error:
        tell(f"ner-head: {error}; characters and lengths are not checked with its tokenizer")
        return None

    import torch

    from ner_head.features.extraction.encoder import Encoder

    loaded = Encoder(folder, device=torch.device("cpu"), spec=encoder.spec, load=False)
    return Tokenization(loaded.word_pieces, loaded.fingerprint.limit)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(check)
