"""Command `compare`: two models, or two files of predictions, on the same documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DataError
from ner_head.cli.arguments import Device, Threads, example, runtime_params
from ner_head.cli.output import check_output, emit, replaced, tell

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document
    from ner_head.features.store.store import FeatureStore
    from ner_head.inference.saved_model import ModelManifest

EXAMPLE = example("ner-head compare models/head models/last --output compare.html")
What = "a model (folder, or name of an installed one), or a JSONL file of predictions"


def compare(
    a: Annotated[str, typer.Argument(help=What)],
    b: Annotated[str, typer.Argument(help=What)],
    gold: Annotated[Path, typer.Option(help="annotated documents, as stage prepare writes them")] = Path(
        "data/prepared/dev.jsonl"
    ),
    features: Annotated[Path, typer.Option(help="feature store that models read, if it has the documents")] = Path(
        "data/features"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    output: Annotated[Path | None, typer.Option(help="a page of the sentences in which A and B differ")] = None,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Compare two models on the same documents: what one finds and the other does not, and whether it is chance."""
    from ner_head import comparison
    from ner_head.corpus.records import read_documents
    from ner_head.corpus.results import judged
    from ner_head.evaluation.measures.spans import has_gold

    check_output("html", output)
    runtime_params(device, threads)
    documents = list(read_documents(gold))
    if not has_gold(documents):
        raise DataError(f"{gold}: no gold spans, so there is nothing to compare with")
    sources = [source_of(name) for name in (a, b)]
    found = [judged(documents, predictions(source, documents, features, device, threads)) for source in sources]
    slices = comparison.compare(documents, *found)
    if as_json:
        emit({"a": a, "b": b, "documents": len(documents), "slices": comparison.as_json(slices)})
    else:
        typer.echo(f"A: {a}\nB: {b}\n{len(documents):,} documents of {gold}\n\n{comparison.table(slices)}")
    if output is not None:
        from ner_head.pages.compare_page import page

        whole = slices["all"]
        summary = f"{len(documents):,} documents, F1 of A {whole.a['f1']:.3f}, of B {whole.b['f1']:.3f}"
        with replaced(output) as write:
            write(page("Comparison of A and B", summary, (f"A: {a}", f"B: {b}"), documents, *found))


def source_of(name: str) -> Path:
    """A file of predictions, or the folder of a model.

    Raises:
        DataError: there is neither.
    """
    from ner_head.models import find_model

    return Path(name) if Path(name).is_file() else find_model(name)


def predictions(source: Path, documents: list[Document], features: Path, device: str, threads: int) -> list[Document]:
    """The documents with the spans of a file of predictions, or of a model.

    A model reads the feature store, if that has all sentences and is of its encoder; else it runs its encoder.

    Raises:
        NerHeadError: the file or the model cannot be read, or the file lacks a document.
    """
    from ner_head.comparison import read_spans

    if source.is_file():
        return read_spans(source, documents)

    from ner_head.inference.saved_model import ModelManifest

    store = fitting_store(features, ModelManifest.read(source), documents)
    if store is None:
        from ner_head.recognizer import Recognizer

        tell(f"ner-head: {source}: the encoder is run, because {features} has no features of it for all documents")
        return Recognizer.load(source, device, threads=threads).recognize_documents(documents)
    tell(f"ner-head: {source}: features of {features}, 0 pieces computed")
    return from_store(source, documents, store, device, threads)


def fitting_store(folder: Path, manifest: ModelManifest, documents: list[Document]) -> FeatureStore | None:
    """The feature store, if it has the features that a model needs for all sentences of documents."""
    from ner_head.corpus.documents import sentence_id
    from ner_head.features.store.store import FeatureStore

    if not (folder / "manifest.json").is_file():
        return None
    store = FeatureStore.open(folder)
    names = (sentence_id(document.key, i) for document in documents for i in range(len(document.sentences)))
    same = store.manifest.encoder.fingerprint == manifest.encoder.fingerprint
    return store if same and all(name in store for name in names) else None


def from_store(
    folder: Path, documents: list[Document], store: FeatureStore, device: str, threads: int
) -> list[Document]:
    """The documents with the spans of a model, from cached features."""
    from ner_head.inference.predictions import predict_from_store
    from ner_head.inference.saved_model import SavedModel
    from ner_head.inference.tagger import Tagger

    torch_device = runtime_params(device, threads).start()
    model = SavedModel.load(folder, device=torch_device, layer_weights=lambda _: store.layer_weights())
    tagger = Tagger(model.head, model.manifest.tag_set, torch_device, model.manifest.temperatures)
    found = predict_from_store(tagger, documents, store, model.manifest.languages, probabilities=True)
    return [prediction.document for prediction in found]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(compare)
