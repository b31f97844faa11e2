"""Find the entities of texts with an exported model. Imports neither torch nor transformers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ner_head.base.errors import DataError, UsageError
from ner_head.base.extras import require_extra
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.languages import normalize, same_language
from ner_head.corpus.results import Prediction
from ner_head.corpus.segment import SEGMENTATION, segment
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.extraction.passes import plan_passes
from ner_head.features.extraction.wordpieces import WordPieces
from ner_head.features.extraction.words import words_of
from ner_head.inference.predictions import to_prediction
from ner_head.inference.tagged import Tagged
from ner_head.onnx.decoder import Decoder
from ner_head.onnx.files import GRAPH, TOKENIZER, OnnxManifest, check_files, read_manifest, read_scores
from ner_head.onnx.passes import GraphInputs, batches, graph_inputs, units

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH_PIECES = 1024  # pieces in a run of the graph, padding included


class OnnxRecognizer:
    """An exported model. It gives the entities that `Recognizer` gives.

    Args:
        manifest: of the model.
        session: runs the graph.
        word_pieces: tokenizer.
        decoder: of the emissions.
    """

    def __init__(
        self, manifest: OnnxManifest, session: InferenceSession, word_pieces: WordPieces, decoder: Decoder
    ) -> None:
        self.manifest, self.session, self.word_pieces, self.decoder = manifest, session, word_pieces, decoder
        self.languages = manifest.languages
        self.inputs = {value.name for value in session.get_inputs()}

    @classmethod
    def load(
        cls, folder: Path | str, *, threads: int = 0, providers: Sequence[str] = ("CPUExecutionProvider",)
    ) -> OnnxRecognizer:
        """Load a model that `ner-head export onnx` wrote.

        Args:
            folder: folder of the exported model.
            threads: number of CPU threads of a matrix product; 0 for one per core.
            providers: execution providers of onnxruntime, in order of preference.
        Raises:
            DataError: a file is absent or damaged, or the model has another segmentation.
            UsageError: onnxruntime is not installed.
        """
        require_extra("onnx", "onnxruntime")
        import onnxruntime

        folder = Path(folder)
        manifest = read_manifest(folder)
        if manifest.segmentation != SEGMENTATION:
            raise DataError(
                f"{folder}: a model with segmentation {manifest.segmentation}, but this ner-head has {SEGMENTATION}; "
                "train and export it again"
            )
        check_files(folder, manifest)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(folder / GRAPH, options, providers=list(providers))
        definition = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
        record = manifest.pieces
        word_pieces = WordPieces(definition, cls=record.cls, sep=record.sep, unk=record.unk)
        return cls(
            manifest, session, word_pieces, Decoder(manifest.tag_set, read_scores(folder), manifest.temperatures)
        )

    def recognize(
        self, texts: Sequence[str], *, language: str | None = None, min_probability: float = 0.0
    ) -> list[Document]:
        """Find the entities of each text, as `Recognizer.recognize` does.

        Args:
            texts: the texts.
            language: code of the language of all texts (`pl`, `PL` or `pol`); None to predict it for each text.
            min_probability: smallest probability of a span; less probable spans are dropped.
        Raises:
            TypeError: `texts` is not a sequence of strings.
            UsageError: `language` is not a language code, or as in `recognize_documents`.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be a list of strings, got one string; write recognize([text])")
        code = self._code(language)
        if self.languages and code not in (UNKNOWN_LANGUAGE, *self.languages):
            trained = ", ".join(self.languages)
            warnings.warn(f"this model was trained on {trained}, not on {code}: expect worse results", stacklevel=2)
        documents = [Document(id=str(i), text=text, language=code) for i, text in enumerate(texts)]
        return self.recognize_documents(documents, min_probability=min_probability)

    def _code(self, language: str | None) -> str:
        if language is None or language in self.languages:
            return language or UNKNOWN_LANGUAGE
        code = normalize(language)
        return code if code in self.languages else same_language(code, self.languages) or code

    def recognize_documents(self, documents: Sequence[Document], *, min_probability: float = 0.0) -> list[Document]:
        """Find the entities of documents. Documents without sentences are segmented.

        Raises:
            UsageError: `min_probability` is not between 0 and 1, or a text has a lone surrogate.
        """
        if not 0 <= min_probability <= 1:
            raise UsageError(f"the least probability must be between 0 and 1, got {min_probability}")
        return [prediction.at_least(min_probability) for prediction in self.predict(documents)]

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict documents: spans in characters with probabilities, and languages.

        Raises:
            UsageError: a text has a lone surrogate.
        """
        for document in documents:
            if any("\ud800" <= character <= "\udfff" for character in document.text):
                raise UsageError(f"document {document.id}: a lone surrogate; it is no text that UTF-8 can hold")
        whole = [d if d.sentences else replace(d, sentences=segment(d.text, d.language)) for d in documents]
        tagged = iter(self.tag(whole))
        return [to_prediction(d, [next(tagged) for _ in d.sentences], self.languages) for d in whole]

    def tag(self, documents: Sequence[Document]) -> list[Tagged]:
        """Tag all sentences of documents, in order."""
        words = words_of(documents, spaces=self.word_pieces.marks_spaces)
        pieces = self.word_pieces.split([sentence for document in words for sentence in document])
        flat = iter(pieces)
        ids = [[next(flat).ids for _ in document] for document in words]
        record = self.manifest.pieces
        passes = plan_passes(ids, context=record.context, capacity=record.limit - 2)
        reads_words = "word_features" in self.inputs
        word_ids = [row for document in documents for row in document_word_ids(document)] if reads_words else []
        results: dict[int, Tagged] = {}
        for batch in batches(units(passes), BATCH_PIECES):
            inputs = graph_inputs(batch, pieces, record, self.manifest.scheme, word_ids)
            results |= zip(inputs.members, self._run(inputs), strict=True)
        return [results[number] for number in range(len(pieces))]

    def _run(self, inputs: GraphInputs) -> list[Tagged]:
        feeds = {name: array for name, array in inputs.arrays.items() if name in self.inputs}
        found: list[Any] = self.session.run(None, feeds)
        spans = self.decoder.spans(found[0], inputs.n_steps, inputs.words_of_pieces)
        languages = np.zeros((len(spans), 0), np.float32)
        if len(found) > 1:
            languages = self.decoder.language_log_probabilities(found[1])
        return [Tagged(each, [], row, []) for each, row in zip(spans, languages, strict=True)]
