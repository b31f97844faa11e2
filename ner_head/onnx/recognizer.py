"""Find the entities of texts with an exported model. Imports neither torch nor transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ner_head.base.errors import DataError, UsageError
from ner_head.base.extras import require_extra
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import SEGMENTATION
from ner_head.corpus.word_features import document_word_ids
from ner_head.features.extraction.passes import plan_passes
from ner_head.features.extraction.wordpieces import WordPieces
from ner_head.features.extraction.words import words_of
from ner_head.inference.tagged import Tagged
from ner_head.models import check_digests
from ner_head.onnx.decoder import Decoder
from ner_head.onnx.files import GRAPH, TOKENIZER, OnnxManifest, read_manifest, read_scores
from ner_head.onnx.passes import GraphInputs, batches, graph_inputs, units
from ner_head.prediction.text_recognizer import TextRecognizer
from ner_head.prediction.unknown_letters import warn_of_unknown_letters

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH_PIECES = 1024  # pieces in a run of the graph, padding included


class OnnxRecognizer(TextRecognizer):
    """An exported model. It gives the entities that `Recognizer` gives, with the same methods; `n_best` must be 1.

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
        self.languages, self.labels = manifest.languages, manifest.labels
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
        check_digests(folder, manifest.files, mend="export the model again")
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

    def _tagged(self, documents: Sequence[Document], n_best: int) -> list[Tagged]:
        """Tag all sentences of documents, in order.

        Raises:
            UsageError: `n_best` is above 1.
        """
        if n_best > 1:
            raise UsageError(f"n_best is {n_best}, but an exported model gives one reading only")
        words = words_of(documents, spaces=self.word_pieces.marks_spaces)
        pieces = self.word_pieces.split([sentence for document in words for sentence in document])
        flat = iter(pieces)
        by_document = [[next(flat) for _ in document] for document in words]
        warn_of_unknown_letters(documents, by_document, self.word_pieces.unk)
        ids = [[found.ids for found in document] for document in by_document]
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
