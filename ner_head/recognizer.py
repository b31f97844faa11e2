"""Text in, documents with entities out: the Python API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.segment import SEGMENTATION, segment
from ner_head.errors import DataError, UsageError
from ner_head.features.encode import encode_documents
from ner_head.features.encoder import Encoder, find_model
from ner_head.params import validate
from ner_head.predictions import predict
from ner_head.runtime import RuntimeParams
from ner_head.saved_model import SavedModel
from ner_head.tagger import Tagger


class Recognizer:
    """A trained head together with the encoder that it was trained on."""

    def __init__(self, model: SavedModel, encoder: Encoder, runtime: RuntimeParams) -> None:
        """Put the two together.

        Raises:
            DataError: the encoder or the segmentation is not the one that the head was trained with.
        """
        manifest, found = model.manifest, encoder.fingerprint.digest()
        if manifest.encoder.fingerprint != found:
            raise DataError(
                f"this model was trained on features of {manifest.encoder.model} "
                f"({manifest.encoder.fingerprint[:12]}), but the encoder given has {found[:12]}; give the same one"
            )
        if manifest.segmentation != SEGMENTATION:
            raise DataError(
                f"this model was trained with segmentation {manifest.segmentation}, but this ner-head has "
                f"{SEGMENTATION}; train it again"
            )
        self.languages, self.encoder, self.runtime = manifest.languages, encoder, runtime
        self.tagger = Tagger(model.head, manifest.tag_set, encoder.device, manifest.temperatures)

    @classmethod
    def load(
        cls, model_directory: Path | str, device: str = "auto", *, encoder: str | None = None, threads: int = 0
    ) -> Recognizer:
        """Load a head and the encoder that its manifest names (or another place of the same encoder).

        Args:
            model_directory: of the head.
            device: auto, cpu, cuda or mps.
            encoder: another place of the same encoder.
            threads: CPU threads of torch in this process; 0 leaves its own choice.
        Raises:
            DataError: the model is damaged, or the encoder is another one.
            UsageError: the encoder or the device is not there.
        """
        runtime = validate({"device": device, "threads": threads}, "runtime", RuntimeParams)
        place = runtime.start()
        model = SavedModel.load(Path(model_directory), device=place)
        record = model.manifest.encoder
        folder = find_model(encoder or record.model)
        same = Encoder(
            folder,
            device=place,
            dtype=record.dtype,
            context=record.context,
            views=record.views,
            compute=record.compute,
        )
        return cls(model, same, runtime)

    def recognize(
        self, texts: Sequence[str], *, language: str | None = None, min_probability: float = 0.0
    ) -> list[Document]:
        """Find the entities of each text.

        Args:
            texts: any text, exact; offsets in the result count its characters.
            language: of all texts, where known; otherwise the classifier guesses each text's.
            min_probability: leave out spans that are less probable.
        Returns:
            one document per text, with sentences, spans in characters, each with its probability, and the language.
        Raises:
            UsageError: `min_probability` is not between 0 and 1.
        """
        known = language or UNKNOWN_LANGUAGE
        documents = [Document(id=str(i), text=text, language=known) for i, text in enumerate(texts)]
        return self.recognize_documents(documents, min_probability=min_probability)

    def recognize_documents(self, documents: Sequence[Document], *, min_probability: float = 0.0) -> list[Document]:
        """The same for documents; those without sentences are segmented."""
        if not 0 <= min_probability <= 1:
            raise UsageError(f"the least probability must be between 0 and 1, got {min_probability}")
        whole = [
            document if document.sentences else replace(document, sentences=segment(document.text, document.language))
            for document in documents
        ]
        with torch.inference_mode():
            features = encode_documents(whole, self.encoder, batch_pieces=self.runtime.batch_pieces)
        found = predict(self.tagger, whole, features, self.languages, probabilities=True)
        return [prediction.at_least(min_probability) for prediction in found]
