"""The types that the parts of the CRF exchange.

Shapes: B sentences, P pieces (those of the longest sentence), T tags, N spans, S pieces of a span.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[Any]  # float32 or float64
Lengths = NDArray[np.int64]
Bools = NDArray[np.bool_]
Gold = (
    NDArray[np.int64] | NDArray[np.bool_]
)  # gold tags, (B, P) int64, or the tags that each piece may have, (B, P, T) bool


class Forbidden(NamedTuple):
    """The rules of a CRF as bool tensors: True for what no path may do. See `TagSet.forbidden`."""

    pairs: Tensor  # (T, T) [from, to]
    first: Tensor  # (T,)
    last: Tensor  # (T,)


class CrfScores(NamedTuple):
    """The parameters of a CRF as tensors."""

    transitions: Tensor  # (T, T) [from, to]
    start: Tensor  # (T,)
    end: Tensor  # (T,)


class LegalScores(NamedTuple):
    """The parameters of a CRF as arrays on the host, -inf where the rules forbid."""

    transitions: Floats  # (T, T) [from, to]
    start: Floats  # (T,)
    end: Floats  # (T,)


class EmissionBatch(NamedTuple):
    """A checked batch: every mask is a run of True from the left, and every sentence has a legal path."""

    emissions: Tensor  # (B, P, T), float32 or float64
    mask: Tensor  # (B, P) bool, on the device of the emissions
    lengths: Lengths  # (B,), number of pieces, on the host


class Expectations(NamedTuple):
    """The results of the forward-backward algorithm."""

    log_partition: Tensor  # (B,) float64
    unary: Tensor  # (B, P, T), marginals; 0 for padding
    later: Tensor  # (B, P, T), logs of the backward messages, each piece up to a constant


class BatchProblem(NamedTuple):
    """The first error of a batch."""

    message: int  # index into `checks.MESSAGES`; 0 if there is no error
    row: int
    piece: int


class DecodingTables(NamedTuple):
    """The scores of a CRF in the layouts that decoding reads.

    `forward_backward` is empty for the torch engine, which reads `legal`. `search` is described in
    `nbest.search_tables`.
    """

    legal: LegalScores
    forward_backward: tuple[Floats, ...]
    search: tuple[Floats, Floats, Floats]


class Hypothesis(NamedTuple):
    """One path: its tags, its score and its probability exp(score - log Z)."""

    tags: list[int]
    score: float
    probability: float


class SpanPattern(NamedTuple):
    """The tag sequences that a span can have.

    The span covers pieces [start, start + S) of a sentence. A path has the span if its tag at start + s is in
    `allowed[s]` for every s, and its tag at start + S is not in `extends` (or the sentence ends there). Over words,
    `allowed` is B-x, then I-x, and `extends` is I-x. Over pieces, X rows stand between them. A span with several
    patterns that exclude each other has the sum of their probabilities.
    """

    sentence: int  # row of the batch
    start: int
    allowed: Tensor  # (S, T) bool
    extends: Tensor  # (T,) bool
