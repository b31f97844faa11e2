"""A linear-chain conditional random field (Lafferty et al., 2001) with hard rules and exact probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from ner_head.head.crf.checks import MESSAGES
from ner_head.head.crf.engine import CrfEngine
from ner_head.head.crf.markov import path_entropy, pattern_probability
from ner_head.head.crf.rules import Rules
from ner_head.head.crf.torch_engine import TorchEngine
from ner_head.head.crf.types import (
    BatchProblem,
    Bools,
    CrfScores,
    DecodingTables,
    EmissionBatch,
    Expectations,
    Forbidden,
    Hypothesis,
    Lengths,
    SpanPattern,
)

MOST_TAGS = 64  # the code of a kernel grows with T^2; for more tags plain torch is as fast


@cache
def _numba_engine() -> Callable[[Rules], CrfEngine] | None:
    """The engine of CPUs; None, and one warning, where numba has no folder for compiled code."""
    try:
        from ner_head.head.crf.numba_engine import NumbaEngine
    except RuntimeError as error:
        warnings.warn(
            f"the CRF runs as plain torch, many times slower: {error}; set NUMBA_CACHE_DIR to a writable folder",
            stacklevel=2,
        )
        return None
    return NumbaEngine


class LinearChainCRF(nn.Module):
    """Scores a path by its start, emission, transition and end scores. A path that breaks a rule has probability 0.

    The first piece is position 0, masks are runs of True from the left, and every sentence has a piece. Emissions and
    tags of padding are never read. Float16 and bfloat16 emissions are computed in float32, also under autocast;
    float64 ones in float64.

    This class checks its arguments and chooses the engine (see `CrfEngine`). Compiled kernels on the CPU compute for
    up to `MOST_TAGS` tags, plain torch otherwise.

    Args:
        n_tags: number of tags, T.
        forbidden: rules for training and decoding alike.

    Attributes:
        compiled: whether kernels may be used. They take a second to load, and 15 s to compile for the first time, so
            for a few sentences plain torch is faster.

    Raises:
        ValueError: the rules have another size, or leave no legal path of any length.
    """

    forbidden_pairs: Tensor
    forbidden_first: Tensor
    forbidden_last: Tensor

    def __init__(self, n_tags: int, forbidden: Forbidden | None = None) -> None:
        super().__init__()
        if n_tags < 1:
            raise ValueError(f"a CRF needs at least 1 tag, got {n_tags}")
        shapes = ((n_tags, n_tags), (n_tags,), (n_tags,))
        free = Forbidden(*(torch.zeros(shape, device="cpu") for shape in shapes))  # also where "meta" is the default
        pairs, first, last = (rule.detach().cpu().bool() for rule in forbidden or free)
        if pairs.shape != (n_tags, n_tags) or first.shape != (n_tags,) or last.shape != (n_tags,):
            raise ValueError(
                f"rules for {n_tags} tags must be ({n_tags}, {n_tags}), ({n_tags},), ({n_tags},), "
                f"got {tuple(pairs.shape)}, {tuple(first.shape)}, {tuple(last.shape)}"
            )
        self.n_tags, self.compiled = n_tags, True
        self._decoding_tables: tuple[bytes, type[CrfEngine], DecodingTables] | None = None
        self.rules = Rules(pairs.numpy(), first.numpy(), last.numpy())
        if not self.rules.legal.any():
            raise ValueError(f"the rules leave no legal path of any length over {n_tags} tags; allow some transition")
        self.register_buffer("forbidden_pairs", pairs, persistent=False)
        self.register_buffer("forbidden_first", first, persistent=False)
        self.register_buffer("forbidden_last", last, persistent=False)
        self.transitions = nn.Parameter(torch.empty(n_tags, n_tags))
        self.start = nn.Parameter(torch.empty(n_tags))
        self.end = nn.Parameter(torch.empty(n_tags))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def extra_repr(self) -> str:
        """For `print(crf)`."""
        return f"n_tags={self.n_tags}, forbidden_pairs={int(self.rules.pairs.sum())}"

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """The log of p(tags | emissions), differentiable.

        Args:
            emissions: (B, P, T).
            tags: gold paths, (B, P) int64; any values for padding.
            mask: (B, P) bool.
        Returns:
            (B,), at most 0 up to rounding.
        Raises:
            ValueError: wrong shapes, a sentence without pieces, or a gold path that breaks the rules. The
                log-likelihood of such a path would be -inf.
        """
        batch, device = self._host_batch(emissions, mask), emissions.device
        if tags.shape != mask.shape:
            raise ValueError(f"tags must be {tuple(mask.shape)} like the mask, got {tuple(tags.shape)}")
        gold = np.ascontiguousarray(tags.detach().cpu().numpy().astype(np.int64, copy=False))
        self._raise_for(self._checks().check_gold(gold, batch.lengths), gold)
        return self._engine(batch.emissions).log_sum(batch, self._scores(batch.emissions), gold).to(device)

    def log_likelihood_of_sets(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        """The log of the probability that each piece has one of the tags that it may have, differentiable.

        With one tag at each piece it is `log_likelihood`. With several it is the likelihood of a partially annotated
        sentence: the sum over the paths that agree with the annotation (Tsuboi et al., 2008).

        Args:
            emissions: (B, P, T).
            allowed: the tags that each piece may have, (B, P, T) bool; any values for padding.
            mask: (B, P) bool.
        Returns:
            (B,), at most 0 up to rounding.
        Raises:
            ValueError: wrong shapes, or no legal path has allowed tags only; or as `log_likelihood`.
        """
        batch, device = self._host_batch(emissions, mask), emissions.device
        if allowed.shape != emissions.shape or allowed.dtype != torch.bool:
            raise ValueError(
                f"allowed must be {tuple(emissions.shape)} bool like the emissions, "
                f"got {tuple(allowed.shape)} {allowed.dtype}"
            )
        sets = np.ascontiguousarray(allowed.detach().cpu().numpy())
        self._require_paths(sets, batch.lengths)
        return self._engine(batch.emissions).log_sum(batch, self._scores(batch.emissions), sets).to(device)

    def _require_paths(self, allowed: Bools, lengths: Lengths) -> None:
        """Check that each sentence has a legal path of allowed tags.

        Raises:
            ValueError: it has none; names the first such sentence.
        """
        links = (~self.rules.pairs).astype(np.int64)
        ends = allowed[:, 0] & ~self.rules.first
        for piece in range(1, allowed.shape[1]):
            after = (ends @ links > 0) & allowed[:, piece]
            ends = np.where((piece < lengths)[:, None], after, ends)
        if (without := np.flatnonzero(~(ends & ~self.rules.last).any(axis=1))).size:
            raise ValueError(f"no legal path of sentence {without[0]} has allowed tags only; allow more tags")

    def log_likelihood_on_device(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """`log_likelihood`, or `log_likelihood_of_sets`, on the device of the emissions, without a synchronisation.

        `tags` are gold paths, (B, P) int64, or the tags that each piece may have, (B, P, T) bool.
        A training loop that runs ahead of its GPU uses this. Nothing is checked, because a check waits until the GPU
        has finished its queue. A gold path that breaks the rules gets -inf.
        """
        emissions = _in_full_precision(emissions)
        return self._torch_engine().log_likelihood(emissions, mask, self._scores(emissions), tags)

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The log of Z, the sum over all legal paths, differentiable: (B, P, T), (B, P) -> (B,)."""
        batch, device = self._host_batch(emissions, mask), emissions.device
        return self._engine(batch.emissions).log_sum(batch, self._scores(batch.emissions), None).to(device)

    @torch.no_grad()
    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """p(tag at piece): (B, P, T), (B, P) -> (B, P, T), 0 for padding. No gradient."""
        return self._expect(self._batch(emissions, mask)).unary

    @torch.no_grad()
    def entropy(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Entropy of the distribution over paths, in nats: (B, P, T), (B, P) -> (B,). No gradient."""
        batch = self._batch(emissions, mask)
        return path_entropy(batch.emissions, mask, self._legal_transitions(batch), self._expect(batch))

    @torch.no_grad()
    def span_probability(self, emissions: Tensor, mask: Tensor, spans: Sequence[SpanPattern]) -> Tensor:
        """The probability that the path has each span: (B, P, T), (B, P), N patterns -> (N,). No gradient.

        Raises:
            ValueError: a pattern is not inside its sentence; or as `log_likelihood`.
        """
        batch = self._batch(emissions, mask)
        found = self._expect(batch)
        return pattern_probability(batch.emissions, mask, self._legal_transitions(batch), found, spans)

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor, n: int = 1) -> list[list[Hypothesis]]:
        """The n best legal paths of each sentence, distinct, best first; fewer where there are fewer.

        Scores are float64 sums from left to right on the host, so that all devices agree to the last bit. Among paths
        of equal score, the path with the lower last tag comes first, then with the lower last but one, and so on.

        Raises:
            ValueError: n < 1, or scores that are not finite; or as `log_likelihood` for shapes and masks.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        batch = self._batch(emissions.cpu(), mask.cpu())
        engine = self._engine(batch.emissions)
        tables = self._tables(batch.emissions.dtype, engine)
        log_z = engine.log_partition(batch, tables)
        if not np.isfinite(log_z).all():
            row = int(np.argmin(np.isfinite(log_z)))
            raise ValueError(f"sentence {row} has no best path: log Z is {log_z[row]}; check its emissions")
        return engine.best_paths(batch, tables, log_z, n=self.rules.most_paths(emissions.shape[1], n))

    def _tables(self, dtype: torch.dtype, engine: CrfEngine) -> DecodingTables:
        """The tables for decoding. They are kept until the bytes of the scores change."""
        # `self.transitions` goes through nn.Module.__getattr__, which would take longer than the rest of this
        scores = map(self._parameters.__getitem__, CrfScores._fields)
        arrays = [score.to("cpu", dtype).numpy() for score in scores if score is not None]
        key, kind = b"".join([array.tobytes() for array in arrays]), type(engine)
        if self._decoding_tables is None or self._decoding_tables[:2] != (key, kind):
            self._decoding_tables = key, kind, engine.tables(self.rules.legal_scores(*arrays))
        return self._decoding_tables[2]

    def _expect(self, batch: EmissionBatch) -> Expectations:
        return self._engine(batch.emissions).expectations(batch, self._scores(batch.emissions))

    def _engine(self, emissions: Tensor) -> CrfEngine:
        """The fastest engine on the device of the emissions."""
        numba_engine = self._kernels() if emissions.device.type == "cpu" and self.n_tags <= MOST_TAGS else None
        return numba_engine(self.rules) if numba_engine else self._torch_engine()

    def _kernels(self) -> Callable[[Rules], CrfEngine] | None:
        return _numba_engine() if self.compiled else None

    def _torch_engine(self) -> TorchEngine:
        return TorchEngine(self.rules, Forbidden(self.forbidden_pairs, self.forbidden_first, self.forbidden_last))

    def _checks(self) -> CrfEngine:
        """The fastest engine for checks, which run on the host for any number of tags."""
        numba_engine = self._kernels()
        return numba_engine(self.rules) if numba_engine else self._torch_engine()

    def _scores(self, emissions: Tensor) -> CrfScores:
        """The parameters on the device and in the precision of the emissions."""
        return CrfScores(*(s.to(emissions.device, emissions.dtype) for s in (self.transitions, self.start, self.end)))

    def _legal_transitions(self, batch: EmissionBatch) -> Tensor:
        """(T, T), -inf where forbidden."""
        return self._torch_engine().legal(self._scores(batch.emissions)).transitions

    def _host_batch(self, emissions: Tensor, mask: Tensor) -> EmissionBatch:
        """The batch on the host, if an engine with compiled kernels can take it there; else where it is.

        On a GPU, torch launches several operations per piece. The loss of a batch of 16 x 128 took 48 ms on an H200,
        and less than 1 ms on the host with the copies in both directions. Autograd copies the gradient back.
        """
        host = self.n_tags <= MOST_TAGS and self._kernels() is not None
        return self._batch(emissions.cpu(), mask.cpu()) if host else self._batch(emissions, mask)

    def _batch(self, emissions: Tensor, mask: Tensor) -> EmissionBatch:
        """Check a batch. This and the check of gold tags are the only host synchronisations of a call."""
        if emissions.dim() != 3 or emissions.shape[2] != self.n_tags:
            raise ValueError(f"emissions must be (B, P, {self.n_tags}), got {tuple(emissions.shape)}")
        if mask.shape != emissions.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(f"mask must be {tuple(emissions.shape[:2])} bool, got {tuple(mask.shape)} {mask.dtype}")
        self.rules.cover(mask.shape[1])
        lengths = np.empty(len(mask), np.int64)
        self._raise_for(self._checks().check_mask(np.ascontiguousarray(mask.cpu().numpy()), lengths), None)
        return EmissionBatch(_in_full_precision(emissions), mask, lengths)

    def _raise_for(self, problem: BatchProblem, gold: Lengths | None) -> None:
        message, row, piece = problem
        if message:
            tag, before = (0, 0) if gold is None else (gold[row, piece], gold[row, max(piece - 1, 0)])
            raise ValueError(
                MESSAGES[message].format(row=row, piece=piece, tag=tag, before=before, last_tag=self.n_tags - 1)
            )


def _in_full_precision(emissions: Tensor) -> Tensor:
    """Float64 emissions as they are, all others as float32."""
    return emissions if emissions.dtype == torch.float64 else emissions.float()
