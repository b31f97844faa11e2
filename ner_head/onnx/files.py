"""The files of an exported model, described in docs/export.md. Imports no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from ner_head.base.errors import DataError, system_error
from ner_head.base.params import Params, first_problem
from ner_head.corpus.results import Temperatures
from ner_head.corpus.tagging import Scheme, TagSet
from ner_head.features.store.spec import Context
from ner_head.onnx.decoder import PathScores

FORMAT = "ner-head onnx"
GRAPH, TOKENIZER, SCORES, MANIFEST = "model.onnx", "tokenizer.json", "crf.json", "manifest.json"
FileName = Annotated[str, Field(pattern=r"^[\w-][\w.-]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PieceRecord(Params):
    """How text becomes the input of the graph."""

    cls: int
    """Piece id of [CLS]."""
    sep: int
    """Piece id of [SEP]."""
    unk: int
    """Piece id of [UNK], for a word of which the tokenizer leaves nothing."""
    padding: int
    """Piece id of padding."""
    limit: int = Field(ge=3)
    """Largest number of pieces in a pass, [CLS] and [SEP] included."""
    context: Context
    """Whether a pass has one sentence, or as much of its document as fits."""
    kept: Literal["all", "first"]
    """The pieces of a word that the head reads."""


class OnnxManifest(Params):
    """`manifest.json` of an exported model."""

    format: Literal["ner-head onnx"] = "ner-head onnx"
    version: Literal[1] = 1
    scheme: Scheme
    labels: list[str]
    languages: list[str]
    """Languages of the classifier's logits, in order; the model knows them also without a classifier."""
    segmentation: str
    """Version of the rules that cut text into sentences and words."""
    temperatures: Temperatures
    pieces: PieceRecord
    encoder: str
    """Name of the encoder that the model was trained with."""
    files: dict[FileName, Digest]
    """SHA-256 of each other file."""

    @property
    def tag_set(self) -> TagSet:
        """The tags of the emissions."""
        return TagSet(self.scheme, tuple(self.labels))


class CrfRecord(Params):
    """`crf.json`: scores and rules of the CRF, in the order of `tags`. What is forbidden has the score -inf."""

    tags: list[str]
    transitions: list[list[float]]
    """[from][to]."""
    start: list[float]
    end: list[float]
    forbidden_transitions: list[list[bool]]
    forbidden_start: list[bool]
    forbidden_end: list[bool]

    def scores(self) -> PathScores:
        """The scores, -inf where forbidden."""
        given = (self.transitions, self.start, self.end)
        rules = (self.forbidden_transitions, self.forbidden_start, self.forbidden_end)
        parts = [
            np.where(np.array(rule, bool), -np.inf, np.array(part)) for part, rule in zip(given, rules, strict=True)
        ]
        n_tags = len(self.tags)
        if [part.shape for part in parts] != [(n_tags, n_tags), (n_tags,), (n_tags,)]:
            raise ValueError(f"needs scores for {n_tags} tags")
        return PathScores(*(part.astype(np.float32) for part in parts))


def read_manifest(folder: Path) -> OnnxManifest:
    """Read the manifest of an exported model.

    Raises:
        DataError: it is absent, or not one of an exported model.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise system_error(error, path, mend="write one with `ner-head export onnx`") from None
    try:
        if json.loads(content).get("format") != FORMAT:
            raise DataError(f"{path}: not of an exported model; export one with `ner-head export onnx`")
        return OnnxManifest.model_validate_json(content)
    except ValidationError as error:
        raise DataError(f"{path}: {first_problem(error)}") from None
    except (ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: not a manifest: {error}") from None


def read_scores(folder: Path) -> PathScores:
    """Read the scores of the CRF.

    Raises:
        DataError: the file is not what it should be.
    """
    try:
        return CrfRecord.model_validate_json((folder / SCORES).read_bytes()).scores()
    except ValidationError as error:
        raise DataError(f"{folder / SCORES}: {first_problem(error)}") from None
    except ValueError as error:
        raise DataError(f"{folder / SCORES}: {error}") from None
