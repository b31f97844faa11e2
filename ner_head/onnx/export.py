"""Export a trained model to a folder that needs no torch."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ner_head.base.errors import UsageError
from ner_head.base.extras import require_extra
from ner_head.base.files import check_new, digest_of, new_folder, write_whole
from ner_head.corpus.word_features import COLUMNS
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.families import read_tokenizer
from ner_head.head.committee import AnyHead
from ner_head.inference.saved_model import SavedModel
from ner_head.onnx.files import GRAPH, MANIFEST, SCORES, TOKENIZER, CrfRecord, OnnxManifest, PieceRecord
from ner_head.onnx.network import Network

if TYPE_CHECKING:
    from torch.onnx import ONNXProgram

MOST = 1 << 20  # upper bound of the traced dimensions
LARGEST_GRAPH = 1_900_000_000  # bytes; a protobuf message has at most 2 GB
AXES = {
    "ids": "NQ",
    "mask": "NQ",
    "pieces": "BP",
    "n_pieces": "B",
    "steps": "BS",
    "n_steps": "B",
    "separators": "B",
    "word_features": "BW",
    "word_of_piece": "BP",
}
"""The dynamic axes of each input: N passes of Q pieces, B sentences of P pieces, S steps and W words."""


def export_onnx(model: SavedModel, encoder: Encoder, folder: Path) -> OnnxManifest:
    """Write a model as ONNX. The folder appears when it is complete.

    Args:
        model: the head.
        encoder: its encoder, with the layers that the head reads; the weights need not be loaded.
        folder: a folder that does not exist yet or is empty.
    Raises:
        UsageError: the folder is in use, an extra is not installed, or the model cannot be exported.
        ResourceError: the disk is full or not writable.
    """
    require_extra("onnx", "onnx", "onnxscript", "onnxruntime")
    check_exportable(model)
    check_new(folder)
    program = trace(Network(encoder, model.head))
    with new_folder(folder) as whole:
        return write_files(model, encoder, program, whole)


def check_exportable(model: SavedModel) -> None:
    """Check that a graph can compute what the model computes.

    Raises:
        UsageError: it cannot.
    """
    if model.manifest.encoder.compute != "float32":
        raise UsageError(
            f"this model reads features of encoder.compute: {model.manifest.encoder.compute}, which the graph cannot "
            "reproduce; set it to float32 and run `dvc repro`"
        )


def trace(network: Network) -> ONNXProgram:
    """The graph of a network.

    Raises:
        UsageError: torch cannot trace the architecture of the encoder.
    """
    inputs = sample_inputs(network.head)
    axes = {letter: torch.export.Dim(letter, min=2, max=MOST) for letter in "NQBPSW"}
    shapes: dict[str, Any] = {
        name: {i: axes[letter] for i, letter in enumerate(AXES[name])} if name in inputs else None for name in AXES
    }
    outputs = ["emissions", *(["language_logits"] if network.head.predicts_languages else [])]
    try:
        with quiet(), torch.no_grad():
            found = torch.onnx.export(
                network.eval(),
                kwargs={name: inputs.get(name) for name in AXES},
                input_names=list(inputs),
                output_names=outputs,
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = error.__cause__ or error
        why = " ".join(f"{type(cause).__name__}: {cause}".split())
        kind = type(network.encoder.network).__name__
        raise UsageError(f"torch cannot export this model ({kind}): {why:.300}") from None
    assert found is not None  # None only if a file name is given
    name_axes(found, {name: AXES[name] for name in inputs} | {"emissions": "BS", "language_logits": "B"})
    return found


def sample_inputs(head: AnyHead) -> dict[str, torch.Tensor]:
    """Inputs to trace with; all dimensions differ, so that none is taken for another."""
    n_passes, width, n_sentences, n_pieces, n_words = 3, 11, 4, 9, 6
    places = torch.arange(n_sentences * n_pieces).view(n_sentences, n_pieces) % (n_passes * width)
    inputs = {
        "ids": torch.full((n_passes, width), 5),
        "mask": torch.ones(n_passes, width, dtype=torch.int64),
        "pieces": places,
        "n_pieces": torch.tensor([9, 6, 7, 8]),
        "steps": torch.tensor([[1, 2, 3, 4, 5]] * n_sentences),
        "n_steps": torch.tensor([5, 4, 3, 5]),
    }
    if head.reads_separator:
        inputs["separators"] = torch.arange(n_sentences)
    if head.reads_words:
        inputs["word_features"] = torch.ones(n_sentences, n_words, COLUMNS, dtype=torch.int64)
        inputs["word_of_piece"] = places.clamp(max=n_words - 1) - 1
    return inputs


def name_axes(program: ONNXProgram, letters: dict[str, str]) -> None:
    """Give the dynamic axes of inputs and outputs their letters, in place; torch names some of them by numbers."""
    graph = program.model.graph
    names: dict[str, str] = {}
    for value in [*graph.inputs, *graph.outputs]:
        if value.name in letters and value.shape is not None:
            names |= zip(map(str, value.shape), letters[value.name], strict=False)
    values = [*graph.inputs, *(output for node in graph.all_nodes() for output in node.outputs)]
    for value in values:
        if value.shape is not None:
            value.shape = type(value.shape)([names.get(str(size), size) for size in value.shape])


def write_files(model: SavedModel, encoder: Encoder, program: ONNXProgram, folder: Path) -> OnnxManifest:
    """Write all files of an exported model into a folder."""
    n_bytes = sum(value.const_value.nbytes for value in program.model.graph.initializers.values() if value.const_value)
    program.save(folder / GRAPH, external_data=n_bytes > LARGEST_GRAPH)
    definition, _ = read_tokenizer(encoder.folder)
    (folder / TOKENIZER).write_text(json.dumps(definition, ensure_ascii=False), encoding="utf-8", newline="\n")
    (folder / SCORES).write_text(crf_record(model).model_dump_json(), encoding="utf-8", newline="\n")
    pieces, config, record = encoder.word_pieces, encoder.files.config, model.manifest
    manifest = OnnxManifest(
        scheme=record.scheme,
        labels=record.labels,
        languages=record.languages,
        segmentation=record.segmentation,
        temperatures=record.temperatures,
        pieces=PieceRecord(
            cls=pieces.cls,
            sep=pieces.sep,
            unk=pieces.unk,
            padding=config.padding,
            limit=config.limit,
            context=record.encoder.context,
            kept=model.head.pieces,
        ),
        encoder=record.encoder.model,
        files={path.name: digest_of(path) for path in sorted(folder.iterdir())},
    )
    write_whole(folder / MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())
    return manifest


def crf_record(model: SavedModel) -> CrfRecord:
    """Scores and rules of the CRF that decodes."""
    crf = model.head.crf
    transitions, start, end = (score.detach().cpu().numpy() for score in (crf.transitions, crf.start, crf.end))
    return CrfRecord(
        tags=list(model.manifest.tag_set.tags),
        transitions=transitions.tolist(),
        start=start.tolist(),
        end=end.tolist(),
        forbidden_transitions=crf.rules.pairs.tolist(),
        forbidden_start=crf.rules.first.tolist(),
        forbidden_end=crf.rules.last.tolist(),
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's messages about an export from standard output and the log."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
