"""The Python API: find the entities of texts with a trained model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ner_head.base.errors import DataError, UsageError
from ner_head.base.params import validate
from ner_head.base.runtime import RuntimeParams, compute_alone_after_fork
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.languages import normalize, same_language
from ner_head.corpus.segment import SEGMENTATION, segment
from ner_head.features.extraction.checkpoints import find_encoder
from ner_head.features.extraction.encode import encode_documents
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.manifest import EncoderRecord
from ner_head.inference.predictions import predict
from ner_head.inference.saved_model import SavedModel
from ner_head.inference.tagger import Tagger


class Recognizer:
    """A trained head and its encoder."""

    def __init__(self, model: SavedModel, encoder: Encoder, runtime: RuntimeParams) -> None:
        """Combine a head with its encoder.

        Raises:
            DataError: the head was trained with another encoder or another segmentation.
        """
        manifest, found = model.manifest, encoder.fingerprint.digest()
        if manifest.encoder.fingerprint != found:
            raise DataError(
                f"this model was trained on features of {manifest.encoder.model} "
                f"({manifest.encoder.fingerprint[:12]}), but the encoder in {encoder.folder} has {found[:12]}; "
                "give the same one (`--encoder FOLDER`)"
            )
        if manifest.segmentation != SEGMENTATION:
            raise DataError(
                f"this model was trained with segmentation {manifest.segmentation}, but this ner-head has "
                f"{SEGMENTATION}; train it again"
            )
        self.languages, self.encoder, self.runtime = manifest.languages, encoder, runtime
        self.process = os.getpid()
        self.source: tuple[str, str, str] | None = None
        compute_alone_after_fork()
        self.tagger = Tagger(model.head, manifest.tag_set, encoder.device, manifest.temperatures)

    @classmethod
    def load(
        cls, model_directory: Path | str, device: str = "auto", *, encoder: str | None = None, threads: int = 0
    ) -> Recognizer:
        """Load a trained head and its encoder.

        Args:
            model_directory: folder of the head.
            device: auto, cpu, cuda or mps.
            encoder: folder of the encoder; by default the one that the head's manifest names.
            threads: number of CPU threads of torch in this process; 0 for torch's default.
        Raises:
            DataError: the head is damaged, or was trained with another encoder.
            UsageError: there is no such encoder or device.
        """
        runtime = validate({"device": device, "threads": threads}, "runtime", RuntimeParams)
        torch_device = runtime.start()

        def find(record: EncoderRecord) -> Path:
            if encoder is not None:
                return find_encoder(encoder)
            return find_encoder(record.model, local=record.local, beside=Path(model_directory))

        def layer_weights(record: EncoderRecord) -> dict[str, torch.Tensor]:
            return Encoder(find(record), device=torch_device, load=False).layer_weights()

        model = SavedModel.load(Path(model_directory), device=torch_device, layer_weights=layer_weights)
        record = model.manifest.encoder
        folder = find(record)
        frozen = Encoder(folder, device=torch_device, spec=record.spec, layers=model.head.layers)
        recognizer = cls(model, frozen, runtime)
        recognizer.source = (str(Path(model_directory).absolute()), device, str(folder.absolute()))
        return recognizer

    def expect_few(self) -> None:
        """Prepare for a few sentences: compiled kernels of the CRF, which take a second to load, are not used."""
        self.tagger.decoder.crf.compiled = False

    def __reduce__(self) -> tuple[object, tuple[str, str, str]]:
        """Pickle the folders only: the receiving process loads the head and the encoder from them."""
        if self.source is None:
            raise TypeError("only a recognizer that was loaded from a folder can be sent to another process")
        return load, self.source

    def recognize(
        self, texts: Sequence[str], *, language: str | None = None, min_probability: float = 0.0
    ) -> list[Document]:
        """Find the entities of each text.

        Args:
            texts: the texts.
            language: code of the language of all texts (`pl`, `PL` or `pol`); None to predict it for each text.
            min_probability: smallest probability of a span; less probable spans are dropped.
        Returns:
            One document per text, with sentences, and with spans in characters of the exact text and their
            probabilities. If the language was predicted, the document has its probability, and the language is `und`
            if that is too low.
        Raises:
            TypeError: `texts` is not a sequence of strings.
            UsageError: `language` is not a language code, or as in `recognize_documents`.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be a list of strings, got one string; write recognize([text])")
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"texts[{number}] must be a string, got {type(text).__name__}")
        known = self.language_code(language)
        if line := self.language_warning(known):
            warnings.warn(line, stacklevel=2)
        documents = [Document(id=str(i), text=text, language=known) for i, text in enumerate(texts)]
        return self.recognize_documents(documents, min_probability=min_probability)

    def language_code(self, language: str | None) -> str:
        """Convert a language into the code that the model uses for it; `und` for None.

        Raises:
            UsageError: it is not a language code.
        """
        if language is None or language in self.languages:
            return language or UNKNOWN_LANGUAGE
        code = normalize(language)
        return code if code in self.languages else same_language(code, self.languages) or code

    def language_warning(self, language: str) -> str:
        """A warning for a language that the model was not trained on; "" for other languages."""
        if language == UNKNOWN_LANGUAGE or language in self.languages or not self.languages:
            return ""
        return f"this model was trained on {', '.join(self.languages)}, not on {language}: expect worse results"

    def recognize_documents(self, documents: Sequence[Document], *, min_probability: float = 0.0) -> list[Document]:
        """Find the entities of documents. Documents without sentences are segmented.

        Args:
            documents: the documents; their spans are ignored.
            min_probability: smallest probability of a span; less probable spans are dropped.
        Returns:
            The documents with sentences, predicted spans and languages, as in `recognize`.
        Raises:
            UsageError: `min_probability` is not between 0 and 1, a text has a lone surrogate, or the model is on a GPU
                and this process was forked after the model was loaded.
        """
        if not 0 <= min_probability <= 1:
            raise UsageError(f"the least probability must be between 0 and 1, got {min_probability}")
        if self.process != os.getpid() and self.encoder.device.type != "cpu":
            raise UsageError("a GPU cannot be used in a forked process: load the recognizer after the fork, or spawn")
        for document in documents:
            check_text(document)
        whole = [
            document if document.sentences else replace(document, sentences=segment(document.text, document.language))
            for document in documents
        ]
        with torch.inference_mode():
            features = encode_documents(whole, self.encoder, batch_pieces=self.runtime.batch_pieces)
        found = predict(self.tagger, whole, features, self.languages, probabilities=True)
        return [prediction.at_least(min_probability) for prediction in found]


def check_text(document: Document) -> None:
    """Check that a text has no lone surrogates, which result from cutting UTF-16 between the halves of a character.

    Raises:
        UsageError: it has one; names the document and the first such character.
    """
    try:
        document.text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"document {document.id}: a lone surrogate (U+{ord(document.text[error.start]):04X}) at character "
            f"{error.start}; it is no text that UTF-8 can hold"
        ) from None


def load(model_directory: str, device: str, encoder: str) -> Recognizer:
    """Load a pickled recognizer."""
    return Recognizer.load(model_directory, device, encoder=encoder)
