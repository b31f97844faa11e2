"""The CRF in plain torch, on any device and for any number of tags."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.head.crf import checks, log_space
from ner_head.head.crf.nbest import best_paths, search_tables
from ner_head.head.crf.rules import Rules
from ner_head.head.crf.types import (
    BatchProblem,
    CrfScores,
    DecodingTables,
    EmissionBatch,
    Expectations,
    Floats,
    Forbidden,
    Gold,
    Hypothesis,
    LegalScores,
    Lengths,
)


class TorchEngine:
    """The `CrfEngine` of every device, and of CPUs where the compiled kernels do not apply.

    Args:
        rules: of the CRF, on the host.
        forbidden: the same rules, on the device of the scores.
    """

    def __init__(self, rules: Rules, forbidden: Forbidden) -> None:
        self.rules, self.forbidden = rules, forbidden

    def check_mask(self, mask: NDArray[np.bool_], lengths: Lengths) -> BatchProblem:
        """See `CrfEngine`."""
        return BatchProblem(*checks.check_mask(mask, self.rules.legal, lengths))

    def check_gold(self, gold: Lengths, lengths: Lengths) -> BatchProblem:
        """See `CrfEngine`."""
        return BatchProblem(*checks.check_gold(gold, lengths, self.rules.arrays))

    def log_sum(self, batch: EmissionBatch, scores: CrfScores, gold: Gold | None) -> Tensor:
        """See `CrfEngine`."""
        if gold is not None:
            tags = torch.from_numpy(gold).to(batch.mask.device)
            return self.log_likelihood(batch.emissions, batch.mask, scores, tags)
        with _full_precision(batch.emissions):
            return log_space.log_partition(batch.emissions, batch.mask, self.legal(scores)).to(batch.emissions.dtype)

    def log_likelihood(self, emissions: Tensor, mask: Tensor, scores: CrfScores, tags: Tensor) -> Tensor:
        """The log-likelihood on the device of gold paths, (B, P) int64, or of sets of tags, (B, P, T) bool: (B,).

        Nothing is copied to the host.
        """
        with _full_precision(emissions):
            if tags.dtype == torch.bool:
                return log_space.log_likelihood_of_sets(emissions, mask, self.legal(scores), tags)
            return log_space.log_likelihood(emissions, mask, self.legal(scores), tags)

    def expectations(self, batch: EmissionBatch, scores: CrfScores) -> Expectations:
        """See `CrfEngine`."""
        with _full_precision(batch.emissions):
            return log_space.expect(batch.emissions, batch.mask, self.legal(scores))

    def legal(self, scores: CrfScores) -> CrfScores:
        """The scores with -inf where the rules forbid."""
        masked = (torch.where(rule, -torch.inf, score) for rule, score in zip(self.forbidden, scores, strict=True))
        return CrfScores(*masked)

    def tables(self, legal: LegalScores) -> DecodingTables:
        """See `CrfEngine`."""
        return DecodingTables(legal, (), search_tables(legal))

    def log_partition(self, batch: EmissionBatch, tables: DecodingTables) -> NDArray[np.float64]:
        """See `CrfEngine`."""
        legal = CrfScores(*(torch.from_numpy(score) for score in tables.legal))
        log_z: NDArray[np.float64] = log_space.expect(batch.emissions, batch.mask, legal).log_partition.numpy()
        return log_z

    def best_paths(
        self, batch: EmissionBatch, tables: DecodingTables, log_z: Floats, *, n: int
    ) -> list[list[Hypothesis]]:
        """See `CrfEngine`. The search runs as plain Python on the host."""
        return best_paths(batch, tables.search, log_z, n=n)


def _full_precision(emissions: Tensor) -> torch.autocast:
    """Switch autocast off."""
    return torch.autocast(emissions.device.type, enabled=False)
