"""Command `predict`: find the entities of texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import UsageError
from ner_head.cli.arguments import Device, Files, Language, Text, Threads, example, require_manifest, runtime_params
from ner_head.cli.inputs import read_texts
from ner_head.cli.output import emit, tell

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document, Span

EXAMPLE = example("ner-head predict article.txt --language pl > entities.jsonl")


def predict(
    files: Files = None,
    text: Text = None,
    model: Annotated[Path, typer.Option(help="folder of a trained head")] = Path("models/head"),
    encoder: Annotated[
        str | None, typer.Option(help="folder of the encoder, if it is not where the model's manifest says")
    ] = None,
    language: Language = None,
    min_probability: Annotated[
        float, typer.Option(help="drop less probable spans; reports/thresholds.csv shows precision and recall")
    ] = 0.0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Find entities. Prints one JSON line per text, with character offsets into the exact text."""
    from dataclasses import replace

    if not 0 <= min_probability <= 1:
        raise UsageError(f"--min-probability: must be between 0 and 1, got {min_probability}")
    runtime_params(device, threads)
    texts = read_texts(files, text)
    manifest = require_manifest(model, mend="train one with `dvc repro`")
    if language is not None:
        check_language(language, manifest)

    from ner_head.recognizer import Recognizer  # imports torch

    recognizer = Recognizer.load(model, device, encoder=encoder, threads=threads)
    if not files:
        recognizer.expect_few()
    code = recognizer.language_code(language)
    if warning := recognizer.language_warning(code):
        tell(f"ner-head: {warning}")
    for document in texts:
        (found,) = recognizer.recognize_documents([replace(document, language=code)], min_probability=min_probability)
        emit(record_of(found))


def check_language(language: str, manifest: Path) -> None:
    """Check that a language is a language code, or is a language of the model.

    Raises:
        UsageError: it is neither.
    """
    import json

    from ner_head.corpus.languages import normalize

    try:
        normalize(language)
    except UsageError:
        try:
            known = json.loads(manifest.read_bytes())["languages"]
        except (OSError, ValueError, LookupError, TypeError):
            return  # loading the model reports what is wrong with its manifest
        if language not in known:
            raise


def record_of(document: Document) -> dict[str, object]:
    """The JSON record of a document with predicted spans."""
    return {
        "id": document.id,
        "language": document.language,
        "language_probability": rounded(document.language_probability),
        "text": document.text,
        "spans": [span_record(document, span) for span in document.spans],
    }


def span_record(document: Document, span: Span) -> dict[str, object]:
    """The JSON record of a predicted span."""
    return {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "text": document.text[span.start : span.end],
        "probability": rounded(span.probability),
    }


def rounded(probability: float | None) -> float | None:
    """A probability with four digits."""
    return None if probability is None else round(probability, 4)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(predict)
