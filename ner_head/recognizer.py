"""The Python API: find the entities of texts with a trained model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ner_head.base.errors import DataError, UsageError
from ner_head.base.params import validate
from ner_head.base.runtime import RuntimeParams, compute_alone_after_fork
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.languages import language_among, language_warning
from ner_head.corpus.segment import SEGMENTATION, segment
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.extraction.checkpoints import find_encoder
from ner_head.features.extraction.encode import encode_pieces, split_words
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.words import words_of
from ner_head.features.store.manifest import EncoderRecord
from ner_head.inference.predictions import to_prediction
from ner_head.inference.saved_model import SavedModel
from ner_head.inference.tagged import Tagged
from ner_head.inference.tagger import Tagger
from ner_head.models import check_bundle, default_model, demonstration, find_model
from ner_head.prediction.choice import Choice
from ner_head.prediction.groups import grouped, parts


class Recognizer:
    """A trained head and its encoder."""

    def __init__(self, model: SavedModel, encoder: Encoder, runtime: RuntimeParams) -> None:
        """Combine a head with its encoder.

        Raises:
            DataError: the head was trained with another encoder or another segmentation.
        """
        manifest = model.manifest
        check_encoder(encoder, manifest.encoder)
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
        cls, model: Path | str | None = None, device: str = "auto", *, encoder: str | None = None, threads: int = 0
    ) -> Recognizer:
        """Load a trained head and its encoder.

        Args:
            model: folder of the head, or name of an installed model. By default the model of the project in the current
                folder, or else the model inside of this package, of which a warning says what it is.
            device: auto, cpu, cuda or mps.
            encoder: folder of the encoder; by default the one that the head's manifest names.
            threads: number of CPU threads of torch in this process; 0 for torch's default.
        Raises:
            DataError: there is no such model, a file of it is damaged, or it was trained with another encoder.
            UsageError: there is no such encoder or device.
        """
        runtime = validate({"device": device, "threads": threads}, "runtime", RuntimeParams)
        directory = given_or_default(model)
        check_bundle(directory)
        torch_device = runtime.start()

        def find(record: EncoderRecord) -> Path:
            return encoder_folder(record, beside=directory, given=encoder)

        def layer_weights(record: EncoderRecord) -> dict[str, torch.Tensor]:
            return Encoder(find(record), device=torch_device, load=False).layer_weights()

        saved = SavedModel.load(directory, device=torch_device, layer_weights=layer_weights)
        record = saved.manifest.encoder
        folder = find(record)
        frozen = Encoder(folder, device=torch_device, spec=record.spec, layers=saved.head.layers)
        recognizer = cls(saved, frozen, runtime)
        recognizer.source = (str(directory.absolute()), device, str(folder.absolute()))
        return recognizer

    def __reduce__(self) -> tuple[object, tuple[str, str, str]]:
        """Pickle the folders only: the receiving process loads the head and the encoder from them."""
        if self.source is None:
            raise TypeError("only a recognizer that was loaded from a folder can be sent to another process")
        return load, self.source

    def recognize(
        self,
        texts: Sequence[str],
        *,
        n_best: int = 1,
        language: str | None = None,
        min_probability: float | Mapping[str, float] = 0.0,
        labels: Collection[str] | None = None,
    ) -> list[Document]:
        """Find the entities of each text.

        Args:
            texts: the texts.
            n_best: number of readings of each sentence; above 1, the documents have `readings`. Readings with the same
                spans are one, so there may be fewer.
            language: code of the language of all texts (`pl`, `PL` or `pol`); None to predict it for each text.
            min_probability: smallest probability of a span; less probable spans are dropped. Or such a number by label.
            labels: labels of the spans that are kept; None for all.
        Returns:
            One document per text, with sentences, and with spans in characters of the exact text, each with its text
            and its probability. If the language was predicted, the document has its probability, and the language is
            `und` if that is too low.
        Raises:
            TypeError: `texts` is not a sequence of strings.
            UsageError: `language` is not a language code, or as in `recognize_documents`.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be a list of strings, got one string; write recognize([text])")
        known = self.known_language(language)
        documents = [as_document(text, number, known, "texts") for number, text in enumerate(texts)]
        return self.recognize_documents(documents, n_best=n_best, min_probability=min_probability, labels=labels)

    def stream(
        self,
        texts: Iterable[str | Document],
        *,
        n_best: int = 1,
        language: str | None = None,
        min_probability: float | Mapping[str, float] = 0.0,
        labels: Collection[str] | None = None,
    ) -> Iterator[Document]:
        """Find the entities of a stream of texts or documents, of any length, in constant memory.

        The texts are read a group at a time (`prediction.groups`), and the results of a group come before the next
        group is read. A result does not depend on the other texts of its group.

        Args:
            texts: texts and documents; the id of a text is its number, counted from 0.
            n_best: as in `recognize`.
            language: language of the texts, and of the documents whose language is unknown.
            min_probability: as in `recognize`.
            labels: as in `recognize`.
        Yields:
            One document per text, in order.
        Raises:
            TypeError: a text is neither a string nor a document.
            UsageError: as in `recognize`.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be an iterable of strings or documents, got one string; write stream([text])")
        known, choice = self.known_language(language), self._choice(min_probability, labels)
        documents = (as_document(text, number, known, "texts") for number, text in enumerate(texts))
        groups = (self._recognized(group, n_best) for group in grouped(documents))
        return (choice(document) for found in groups for document in found)

    def known_language(self, language: str | None) -> str:
        """As `language_code`, with a Python warning for a language that the model was not trained on."""
        known = self.language_code(language)
        if line := self.language_warning(known):
            warnings.warn(line, stacklevel=3)
        return known

    def language_code(self, language: str | None) -> str:
        """Convert a language into the code that the model uses for it; `und` for None.

        Raises:
            UsageError: it is not a language code.
        """
        return language_among(language, self.languages)

    def language_warning(self, language: str) -> str:
        """A warning for a language that the model was not trained on; "" for other languages."""
        return language_warning(language, self.languages)

    def recognize_documents(
        self,
        documents: Sequence[Document],
        *,
        n_best: int = 1,
        min_probability: float | Mapping[str, float] = 0.0,
        labels: Collection[str] | None = None,
    ) -> list[Document]:
        """Find the entities of documents. Documents without sentences are segmented.

        Args:
            documents: the documents; their spans are ignored.
            n_best: as in `recognize`.
            min_probability: as in `recognize`.
            labels: as in `recognize`.
        Returns:
            The documents with sentences, predicted spans and languages, as in `recognize`.
        Raises:
            UsageError: `n_best` is below 1, a probability is not between 0 and 1, the model has no such label, a text
                has a lone surrogate, or the model is on a GPU and this process was forked after the model was loaded.
        """
        choice = self._choice(min_probability, labels)
        return [choice(document) for document in self._recognized(documents, n_best)]

    def _choice(self, min_probability: float | Mapping[str, float], labels: Collection[str] | None) -> Choice:
        choice = Choice.of(min_probability, labels)
        choice.check(self.tagger.tag_set.labels)
        return choice

    def _recognized(self, documents: Sequence[Document], n_best: int) -> list[Document]:
        """The documents with all predicted spans, and with readings if `n_best` is above 1."""
        if n_best < 1:
            raise UsageError(f"n_best must be at least 1, got {n_best}")
        if self.process != os.getpid() and self.encoder.device.type != "cpu":
            raise UsageError("a GPU cannot be used in a forked process: load the recognizer after the fork, or spawn")
        for document in documents:
            check_text(document)
        whole = [
            document if document.sentences else replace(document, sentences=segment(document.text, document.language))
            for document in documents
        ]
        tagged = iter(self._tagged(whole, n_best))
        found = []
        for document in whole:
            one = to_prediction(document, [next(tagged) for _ in document.sentences], self.languages)
            readings = tuple(map(tuple, one.readings)) if n_best > 1 else ()
            found.append(replace(one.document, readings=readings).with_texts())
        return found

    def _tagged(self, documents: Sequence[Document], n_best: int) -> list[Tagged]:
        """The tagged sentences of documents. Hidden states are in memory for some thousand word pieces at a time."""
        pieces = split_words(words_of(documents, spaces=self.encoder.word_pieces.marks_spaces), self.encoder)
        word_ids = [i for d in documents for i in document_word_ids(d)] if self.tagger.head.reads_words else []
        found: list[Tagged] = []
        with self.encoder.threads() as threads:
            for part in parts(pieces, whole_documents=self.encoder.fingerprint.spec.context == "document"):
                features = encode_pieces(part, self.encoder, batch_pieces=self.runtime.batch_pieces, threads=threads)
                ids = word_ids[len(found) : len(found) + len(features)]
                found += self.tagger.tag(features, ids, n_best=n_best, probabilities=True, threads=threads)
        return found


def as_document(text: str | Document, number: int, language: str, what: str) -> Document:
    """A text as a document; a document of unknown language as one of this language.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(text, str):
        return Document(id=str(number), text=text, language=language)
    if not isinstance(text, Document):
        raise TypeError(f"{what}[{number}] must be a string, got {type(text).__name__}")
    return replace(text, language=language) if text.language == UNKNOWN_LANGUAGE else text


def given_or_default(model: Path | str | None) -> Path:
    """The folder of a model. If none is given and the model inside of this package is taken, a warning says so."""
    if model is not None:
        return find_model(model)
    directory = default_model()
    if line := demonstration(directory):
        warnings.warn(line, stacklevel=3)
    return directory


def encoder_folder(record: EncoderRecord, *, beside: Path, given: str | None = None) -> Path:
    """The folder of a model's encoder: a given one, or else the one that the manifest names, beside or in the model.

    Raises:
        UsageError: there is no such encoder.
    """
    if given is not None:
        return find_encoder(given)
    return find_encoder(record.model, local=record.local, beside=beside)


def check_encoder(encoder: Encoder, wanted: EncoderRecord) -> None:
    """Check that an encoder is the one of a model.

    Raises:
        DataError: it is another one.
    """
    found = encoder.fingerprint.digest()
    if found != wanted.fingerprint:
        raise DataError(
            f"this model was trained on features of {wanted.model} ({wanted.fingerprint[:12]}), but the encoder in "
            f"{encoder.folder} has {found[:12]}; give the same one (`--encoder FOLDER`)"
        )


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
