"""The spaCy component `ner_head`. spaCy finds it by its entry point; torch is imported with the first document."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import srsly
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch

from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.languages import same_language
from ner_head.models import RECORD, given_or_default
from ner_head.prediction.text_recognizer import TextRecognizer

Factory = TypeVar("Factory", bound=Callable[..., Pipe])
SETTINGS = "ner_head.json"
FILES = ("*.json", "*.safetensors", "*.gguf", "*.onnx", "*.onnx.data", "vocab.txt")
"""Files of models and encoders."""
DEFAULTS = {
    "model": None,
    "encoder": None,
    "device": "auto",
    "language": None,
    "min_probability": 0.0,
    "spans_key": None,
    "store_model": False,
}


class NerHead(Pipe):
    """Sets `doc.ents`, or a group of spans, with `span._.probability`.

    The text is cut into sentences and words as in training, whatever the tokens of the pipeline are. An entity that
    begins or ends inside a token is widened to the whole token. If two entities of `doc.ents` then overlap, the longer
    one is kept, and the first of equal ones. Both are counted, and the first of each is reported as a warning.

    Args:
        name: of the component.
        language: of the pipeline; used if the model knows it and `settings` name none.
        settings: as in `DEFAULTS`; docs/integrations.md describes them.

    Attributes:
        widened: number of entities that were widened so far.
        overlapping: number of entities that were left out so far.
    """

    def __init__(self, name: str, language: str | None, settings: dict[str, Any]) -> None:
        self.name, self.pipeline_language, self.settings = name, language, dict(settings)
        self.widened = self.overlapping = 0
        self._recognizer: TextRecognizer | None = None
        self._stored: tempfile.TemporaryDirectory[str] | None = None
        if not Span.has_extension("probability"):
            Span.set_extension("probability", default=None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the settings only: another process loads the model again."""
        return NerHead, (self.name, self.pipeline_language, self.settings)

    @property
    def recognizer(self) -> TextRecognizer:
        """The model, loaded at the first use.

        Raises:
            DataError, UsageError: it, or its encoder, is absent or damaged.
        """
        if self._recognizer is None:
            chosen = self.settings
            self._recognizer = load_recognizer(chosen["model"], chosen["encoder"], chosen["device"])
        return self._recognizer

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one document."""
        return next(self.pipe([doc], batch_size=1), doc)

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate documents, `batch_size` of them at once."""
        handle: Callable[..., Any] = self.get_error_handler()
        for docs in minibatch(stream, size=batch_size):  # type: ignore[no-untyped-call]
            try:
                self.annotate(docs)
            except Exception as error:  # the pipeline decides what to do with an error
                handle(self.name, self, docs, error)
            else:
                yield from docs

    def annotate(self, docs: Sequence[Doc]) -> None:
        """Annotate documents, in place."""
        language = self.language()
        given = [Document(id=str(number), text=doc.text, language=language) for number, doc in enumerate(docs)]
        found = self.recognizer.recognize_documents(given, min_probability=self.settings["min_probability"])
        for doc, document in zip(docs, found, strict=True):
            self.set_spans(doc, document)

    def language(self) -> str:
        """The language of the documents; `und` to predict it for each of them."""
        known = self.recognizer.languages
        if self.settings["language"]:
            return self.recognizer.known_language(self.settings["language"])
        wanted = self.pipeline_language or UNKNOWN_LANGUAGE  # spaCy has codes of its own, such as xx
        return wanted if wanted in known else same_language(wanted, known) or UNKNOWN_LANGUAGE

    def set_spans(self, doc: Doc, document: Document) -> None:
        """Write the entities of a document to a `Doc`."""
        spans, widened = list[Span](), 0
        for entity in document.spans:
            span = doc.char_span(entity.start, entity.end, label=entity.label)
            if span is None:
                span = doc.char_span(entity.start, entity.end, label=entity.label, alignment_mode="expand")
                widened += 1
            assert span is not None  # expanded, every range of characters has tokens
            spans.append(span)
        kept = spans if self.settings["spans_key"] else filter_spans(spans)
        self.count("widened", widened, "begin or end inside a token and are widened to the whole token")
        self.count("overlapping", len(spans) - len(kept), "overlap others after that and are left out of doc.ents")
        if self.settings["spans_key"]:
            doc.spans[self.settings["spans_key"]] = kept
        else:
            doc.set_ents(kept)
        chosen = set(kept)
        for entity, span in zip(document.spans, spans, strict=True):
            if span in chosen:
                span._.probability = entity.probability

    def count(self, what: str, number: int, message: str) -> None:
        """Add to a count, and warn the first time."""
        before = getattr(self, what)
        setattr(self, what, before + number)
        if number and not before:
            warnings.warn(f"{self.name}: entities {message}; `{what}` of the component counts them", stacklevel=2)

    def to_disk(self, path: Path | str, *, exclude: Iterable[str] = ()) -> None:
        """Write the settings, and with `store_model` the model and its encoder.

        Raises:
            DataError, UsageError: the model cannot be loaded.
        """
        folder = Path(path)
        for name, content in self.files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    def from_disk(self, path: Path | str, *, exclude: Iterable[str] = ()) -> NerHead:
        """Read what `to_disk` wrote. A stored model is used in place."""
        folder = Path(path)
        self.settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        if self.settings["store_model"]:
            self.settings["model"] = str(folder / "model")
            self.settings["encoder"] = str(folder / "encoder") if (folder / "encoder").is_dir() else None
        self._recognizer = None
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """What `to_disk` writes, as bytes.

        Raises:
            DataError, UsageError: the model cannot be loaded.
        """
        packed: bytes = srsly.msgpack_dumps(self.files())
        return packed

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> NerHead:
        """Read what `to_bytes` wrote. A stored model is unpacked to a temporary folder."""
        self._stored = tempfile.TemporaryDirectory(prefix="ner_head.")
        for name, content in srsly.msgpack_loads(data).items():
            path = Path(self._stored.name, Path(name).parent.name, Path(name).name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return self.from_disk(self._stored.name)

    def files(self) -> dict[str, bytes]:
        """The serialised component: content by name."""
        found = {SETTINGS: json.dumps(self.settings, indent=1).encode()}
        if self.settings["store_model"]:
            folders = {"model": given_or_default(self.settings["model"])}
            frozen = getattr(self.recognizer, "encoder", None)
            if frozen is not None:
                folders["encoder"] = frozen.folder
            for kind, folder in folders.items():
                paths = sorted({path for pattern in FILES for path in folder.glob(pattern)} - {folder / RECORD})
                found |= {f"{kind}/{path.name}": path.read_bytes() for path in paths}
        return found


def load_recognizer(model: str | None, encoder: str | None, device: str) -> TextRecognizer:
    """Load a trained model, or one that `ner-head export onnx` wrote.

    Args:
        model: folder of the model, or name of an installed one; None for the default (`models.given_or_default`).
        encoder: folder of the encoder; None for the one that the model's manifest names.
        device: auto, cpu, cuda or mps; of a trained model.
    Raises:
        DataError, UsageError: it, or its encoder, is absent or damaged.
    """
    folder = given_or_default(model)
    try:
        record = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{folder}/manifest.json: cannot be read: {error}") from None
    if isinstance(record, dict) and "format" in record:
        from ner_head.onnx.recognizer import OnnxRecognizer

        return OnnxRecognizer.load(folder)
    from ner_head.recognizer import Recognizer  # imports torch

    return Recognizer.load(folder, device, encoder=encoder)


def with_types(function: Factory) -> Factory:
    """Replace annotations that are strings by types, which releases of spaCy that use pydantic.v1 need."""
    function.__annotations__ = get_type_hints(function)
    return function


@Language.factory("ner_head", default_config=DEFAULTS, assigns=["doc.ents", "doc.spans"])
@with_types
def make_ner_head(
    nlp: Language,
    name: str,
    model: str | None,
    encoder: str | None,
    device: str,
    language: str | None,
    min_probability: float,
    spans_key: str | None,
    store_model: bool,
) -> NerHead:
    """Make the component; docs/integrations.md describes the settings."""
    if not 0 <= min_probability <= 1:
        raise UsageError(f"{name}: min_probability must be between 0 and 1, got {min_probability}")
    settings = {
        "model": model,
        "encoder": encoder,
        "device": device,
        "language": language,
        "min_probability": min_probability,
        "spans_key": spans_key,
        "store_model": store_model,
    }
    return NerHead(name, nlp.lang, settings)
