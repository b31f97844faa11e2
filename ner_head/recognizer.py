"""The Python API: find the entities of texts with a trained model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ner_head.base.errors import DataError, UsageError
from ner_head.base.params import validate
from ner_head.base.runtime import RuntimeParams, compute_alone_after_fork
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import SEGMENTATION
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.extraction.checkpoints import find_encoder
from ner_head.features.extraction.encode import encode_pieces, split_words
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.words import words_of
from ner_head.features.store.manifest import EncoderRecord
from ner_head.inference.saved_model import SavedModel
from ner_head.inference.tagged import Tagged
from ner_head.inference.tagger import Tagger
from ner_head.models import check_bundle, given_or_default
from ner_head.namer import Namer
from ner_head.prediction.groups import parts
from ner_head.prediction.text_recognizer import TextRecognizer
from ner_head.prediction.unknown_letters import warn_of_unknown_letters


class Recognizer(TextRecognizer):
    """A trained head and its encoder."""

    def __init__(self, model: SavedModel, encoder: Encoder, runtime: RuntimeParams, namer: Namer | None = None) -> None:
        """Combine a head with its encoder, and with what finds lemmas and entities.

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
        self.languages, self.labels = manifest.languages, manifest.labels
        self.encoder, self.runtime, self.namer = encoder, runtime, namer
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
        namer = Namer.of_model(directory, record.fingerprint)
        reads = [*saved.head.layers, *(namer.layers if namer is not None else [])]
        layers = range(min(reads), max(reads) + 1)
        frozen = Encoder(folder, device=torch_device, spec=record.spec, layers=layers)
        recognizer = cls(saved, frozen, runtime, namer)
        recognizer.source = (str(directory.absolute()), device, str(folder.absolute()))
        return recognizer

    def expect_few(self) -> None:
        """Prepare for a few sentences: compiled kernels of the CRF, which take a second to load, are not used."""
        self.tagger.decoder.crf.compiled = False

    def __reduce__(self) -> tuple[object, tuple[str, str, str]]:
        """Pickle the folders only: the receiving process loads the head and the encoder from them."""
        if self.source is None:
            raise TypeError("only a recognizer that was loaded from a folder can be sent to another process")
        return load, self.source

    def _tagged(self, documents: Sequence[Document], n_best: int) -> list[Tagged]:
        """The tagged sentences of documents. Hidden states are in memory for some thousand word pieces at a time.

        Raises:
            UsageError: the model is on a GPU and this process was forked after the model was loaded.
        """
        if self.process != os.getpid() and self.encoder.device.type != "cpu":
            raise UsageError("a GPU cannot be used in a forked process: load the recognizer after the fork, or spawn")
        pieces = split_words(words_of(documents, spaces=self.encoder.word_pieces.marks_spaces), self.encoder)
        warn_of_unknown_letters(documents, pieces, self.encoder.word_pieces.unk)
        word_ids = [i for d in documents for i in document_word_ids(d)] if self.tagger.head.reads_words else []
        found: list[Tagged] = []
        with self.encoder.threads() as threads:
            for part in parts(pieces, whole_documents=self.encoder.fingerprint.spec.context == "document"):
                features = encode_pieces(part, self.encoder, batch_pieces=self.runtime.batch_pieces, threads=threads)
                ids = word_ids[len(found) : len(found) + len(features)]
                tagged = self.tagger.tag(features, ids, n_best=n_best, probabilities=True, threads=threads)
                if (namer := self.namer) is not None:
                    both = zip(tagged, features, strict=True)
                    tagged = [replace(each, vectors=namer.vectors(rows, each.spans)) for each, rows in both]
                found += tagged
        return found

    def _named(self, document: Document, tagged: Sequence[Tagged]) -> Document:
        """The document with lemmas and entities, if the model has the folders `lemmas` and `links`."""
        if self.namer is None:
            return document
        return self.namer.named(document, [vectors for each in tagged for vectors in each.vectors])


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


def load(model_directory: str, device: str, encoder: str) -> Recognizer:
    """Load a pickled recognizer."""
    return Recognizer.load(model_directory, device, encoder=encoder)
