"""The interface between `LinearChainCRF` and the code that computes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ner_head.head.crf.types import (
    BatchProblem,
    CrfScores,
    DecodingTables,
    EmissionBatch,
    Expectations,
    Floats,
    Gold,
    Hypothesis,
    LegalScores,
    Lengths,
)


class CrfEngine(Protocol):
    """Computes for one set of rules.

    There are two engines. `NumbaEngine` runs compiled kernels on a CPU. `TorchEngine` runs on any device and for any
    number of tags. Both return the same results up to rounding.
    """

    def check_mask(self, mask: NDArray[np.bool_], lengths: Lengths) -> BatchProblem:
        """Write the number of pieces of each sentence, (B, P) -> (B,); stop at the first sentence with an error."""

    def check_gold(self, gold: Lengths, lengths: Lengths) -> BatchProblem:
        """Find the first gold tag, (B, P), that is no tag or breaks the rules."""

    def log_sum(self, batch: EmissionBatch, scores: CrfScores, gold: Gold | None) -> Tensor:
        """The log-likelihood of gold paths, (B, P), or of all paths of the tags that each piece may have, (B, P, T).

        Log Z without gold. (B,), differentiable.
        """

    def expectations(self, batch: EmissionBatch, scores: CrfScores) -> Expectations:
        """Log Z, marginals and backward messages. No gradient."""

    def tables(self, legal: LegalScores) -> DecodingTables:
        """The scores in the layouts that the two methods below read."""

    def log_partition(self, batch: EmissionBatch, tables: DecodingTables) -> NDArray[np.float64]:
        """Log Z, (B,). No gradient."""

    def best_paths(
        self, batch: EmissionBatch, tables: DecodingTables, log_z: Floats, *, n: int
    ) -> list[list[Hypothesis]]:
        """The n best paths of each sentence, best first."""
