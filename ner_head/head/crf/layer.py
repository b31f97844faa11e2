"""A linear-chain conditional random field (Lafferty et al., 2001) with hard rules and exact probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ner_head.head.crf import gold as crf_gold
from ner_head.head.crf import torch_engine as crf_batched
from ner_head.head.crf.nbest import Hypothesis, Tables, best_paths, score_tables
from ner_head.head.crf.posterior import Expectations, Scores, SpanPattern, path_entropy, pattern_probability
from ner_head.head.crf.rules import Rules

__all__ = ["Forbidden", "Hypothesis", "LinearChainCRF", "SpanPattern"]
MOST_TAGS = 64  # a kernel's code grows with T^2; behind this torch's own loops are no slower


class Forbidden(NamedTuple):
    """What no path may do, as bools: `TagSet.forbidden()` in tensors."""

    pairs: Tensor  # (T, T) [from, to]
    first: Tensor  # (T,)
    last: Tensor  # (T,)


class DecodingTables(NamedTuple):
    """A CRF's scores in the forms that decoding wants, and the bytes that they come from."""

    key: bytes
    legal: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
    probabilities: tuple[NDArray[Any], ...] | None
    scores: Tables


@cache
def _native() -> ModuleType | None:
    """The compiled kernels; None, and one warning, where numba has no folder to keep them in."""
    try:
        from ner_head.head.crf import numba_engine as crf_native
    except RuntimeError as error:
        warnings.warn(
            f"the CRF runs as plain torch, many times slower: {error}; set NUMBA_CACHE_DIR to a writable folder",
            stacklevel=2,
        )
        return None
    return crf_native


class LinearChainCRF(nn.Module):
    """Scores a path by its start, emission, transition and end scores; a path that breaks a rule has probability 0.

    The first piece is position 0, masks are runs of True from the left, and every sentence has a piece. What is
    behind a sentence's end, in emissions and tags, is never read. Float16 and bfloat16 emissions are computed in
    float32, also under autocast; float64 ones in float64.

    Args:
        n_tags: T.
        forbidden: rules that hold in training and decoding alike.
    Raises:
        ValueError: rules of another size, or that leave no legal path of any length.
    """

    forbidden_pairs: Tensor
    forbidden_first: Tensor
    forbidden_last: Tensor

    def __init__(self, n_tags: int, forbidden: Forbidden | None = None) -> None:
        super().__init__()
        if n_tags < 1:
            raise ValueError(f"a CRF needs at least 1 tag, got {n_tags}")
        free = Forbidden(torch.zeros(n_tags, n_tags), torch.zeros(n_tags), torch.zeros(n_tags))
        pairs, first, last = (rule.detach().cpu().bool() for rule in forbidden or free)
        if pairs.shape != (n_tags, n_tags) or first.shape != (n_tags,) or last.shape != (n_tags,):
            raise ValueError(
                f"rules for {n_tags} tags must be ({n_tags}, {n_tags}), ({n_tags},), ({n_tags},), "
                f"got {tuple(pairs.shape)}, {tuple(first.shape)}, {tuple(last.shape)}"
            )
        self.n_tags = n_tags
        self._decoding_tables: DecodingTables | None = None
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
            tags: gold paths, (B, P) int64; pads can hold anything.
            mask: (B, P) bool.
        Returns:
            (B,); never above 0 but by rounding.
        Raises:
            ValueError: wrong shapes, a sentence without pieces, or a gold path that breaks the rules: its
                log-likelihood would be -inf, and one such sentence would end a training run without a word.
        """
        lengths = self._lengths(emissions, mask)
        if tags.shape != mask.shape:
            raise ValueError(f"tags must be {tuple(mask.shape)} like the mask, got {tuple(tags.shape)}")
        gold = np.ascontiguousarray(tags.detach().cpu().numpy().astype(np.int64, copy=False))
        rules = (self.rules.pairs, self.rules.first, self.rules.last)
        self._complain((_native() or crf_gold).check(gold, lengths, rules), gold)
        device = emissions.device
        emissions, scores = self._scores(self._at_the_kernels(emissions))
        if native := self._native_for(emissions):
            likelihood: Tensor = native.log_sum(emissions, lengths, scores, self.rules, gold)
            return likelihood.to(device)
        with torch.autocast(emissions.device.type, enabled=False):
            return crf_batched.log_likelihood(emissions, mask, self._legal(scores), tags)

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The log of Z, the sum over all legal paths, differentiable: (B, P, T), (B, P) -> (B,)."""
        lengths, device = self._lengths(emissions, mask), emissions.device
        emissions, scores = self._scores(self._at_the_kernels(emissions))
        if native := self._native_for(emissions):
            log_z: Tensor = native.log_sum(emissions, lengths, scores, self.rules, None)
            return log_z.to(device)
        with torch.autocast(emissions.device.type, enabled=False):
            return crf_batched.log_partition(emissions, mask, self._legal(scores)).to(emissions.dtype)

    @torch.no_grad()
    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """p(tag at piece): (B, P, T), (B, P) -> (B, P, T), 0 behind the end. No gradient."""
        emissions, scores = self._scores(emissions)
        return self._expect(emissions, mask, scores).unary

    @torch.no_grad()
    def entropy(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Entropy of the distribution over paths, in nats: (B, P, T), (B, P) -> (B,). No gradient."""
        emissions, scores = self._scores(emissions)
        return path_entropy(emissions, mask, self._legal(scores).pairs, self._expect(emissions, mask, scores))

    @torch.no_grad()
    def span_probability(self, emissions: Tensor, mask: Tensor, spans: Sequence[SpanPattern]) -> Tensor:
        """Exact probability that the path has each span: (B, P, T), (B, P), N patterns -> (N,). No gradient.

        Raises:
            ValueError: a pattern that is not inside its sentence, or what `log_likelihood` raises.
        """
        emissions, scores = self._scores(emissions)
        found = self._expect(emissions, mask, scores)
        return pattern_probability(emissions, mask, self._legal(scores).pairs, found, spans)

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor, n: int = 1) -> list[list[Hypothesis]]:
        """The n best legal paths of each sentence, distinct, best first: fewer where there are fewer.

        Scores are float64 sums from left to right on the host, so that all devices agree to the last bit. Ties go
        to the path with the lower last tag, then with the lower last but one, and so on.

        Raises:
            ValueError: n < 1, scores that are not finite, or what `log_likelihood` raises of shapes and masks.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        emissions = emissions.to("cpu", torch.float64 if emissions.dtype == torch.float64 else torch.float32)
        mask = mask.cpu()
        lengths = self._lengths(emissions, mask)
        native = self._native_for(emissions)
        tables = self._tables_of(emissions.dtype, native)
        if native:
            log_z = native.log_partition(emissions, lengths, tables.legal, self.rules, tables.probabilities)
        else:
            legal = Scores(*(torch.from_numpy(score) for score in tables.legal))
            log_z = crf_batched.expect(emissions, mask, legal).log_partition.numpy()
        if not np.isfinite(log_z).all():
            row = int(np.argmin(np.isfinite(log_z)))
            raise ValueError(f"sentence {row} has no best path: log Z is {log_z[row]}; check its emissions")
        n = self.rules.most_paths(emissions.shape[1], n)
        return best_paths(emissions.numpy(), lengths, tables.scores, log_z, n=n, native=native)

    def _tables_of(self, dtype: torch.dtype, native: ModuleType | None) -> DecodingTables:
        """What decoding makes of the scores: once for as long as their bytes are the same, as a trained model's are."""
        # transitions, start, end; as attributes of a module they take longer than all else here
        arrays = [score.to("cpu", dtype).numpy() for score in self._parameters.values() if score is not None]
        key = b"".join([array.tobytes() for array in arrays])
        known = self._decoding_tables
        if known is None or known.key != key or (known.probabilities is None) != (native is None):
            legal = self.rules.legal_scores(*arrays)
            probabilities = native.probability_tables(legal, self.rules, arrays[0].dtype) if native else None
            known = self._decoding_tables = DecodingTables(key, legal, probabilities, score_tables(*legal))
        return known

    def _expect(self, emissions: Tensor, mask: Tensor, scores: Scores) -> Expectations:
        lengths = self._lengths(emissions, mask)
        if native := self._native_for(emissions):
            found: Expectations = native.expectations_of(emissions, lengths, scores, self.rules)
            return found
        with torch.autocast(emissions.device.type, enabled=False):
            return crf_batched.expect(emissions, mask, self._legal(scores))

    def _native_for(self, emissions: Tensor) -> ModuleType | None:
        """The kernels, if these emissions are for them."""
        return _native() if emissions.device.type == "cpu" and self.n_tags <= MOST_TAGS else None

    def _at_the_kernels(self, emissions: Tensor) -> Tensor:
        """Emissions on the host, if its kernels suit them.

        A GPU would take one launch after the other for each piece: at 16 x 128 its loss took 48 ms on an H200 where
        the host needs less than one, the way there and back included. The gradient goes back by itself.
        """
        return emissions.cpu() if self.n_tags <= MOST_TAGS and _native() else emissions

    def _scores(self, emissions: Tensor) -> tuple[Tensor, Scores]:
        """Emissions, and scores where they are, in the precision of the sums."""
        dtype = torch.float64 if emissions.dtype == torch.float64 else torch.float32
        scores = (score.to(emissions.device, dtype) for score in (self.transitions, self.start, self.end))
        return emissions.to(dtype), Scores(*scores)

    def _legal(self, scores: Scores) -> Scores:
        """The same, -inf where forbidden."""
        rules = (self.forbidden_pairs, self.forbidden_first, self.forbidden_last)
        masked = (torch.where(rule, -torch.inf, score) for rule, score in zip(rules, scores, strict=True))
        return Scores(*masked)

    def _lengths(self, emissions: Tensor, mask: Tensor) -> NDArray[np.int64]:
        """The number of pieces of each sentence, (B,). Only here, and for gold tags, is a device waited for."""
        if emissions.dim() != 3 or emissions.shape[2] != self.n_tags:
            raise ValueError(f"emissions must be (B, P, {self.n_tags}), got {tuple(emissions.shape)}")
        if mask.shape != emissions.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(f"mask must be {tuple(emissions.shape[:2])} bool, got {tuple(mask.shape)} {mask.dtype}")
        self.rules.cover(mask.shape[1])
        lengths = np.empty(len(mask), np.int64)
        host = np.ascontiguousarray(mask.cpu().numpy())
        self._complain((_native() or crf_gold).measure(host, self.rules.legal, lengths), None)
        return lengths

    def _complain(self, problem: tuple[int, int, int], gold: NDArray[np.int64] | None) -> None:
        number, row, piece = problem
        if number:
            tag, before = (0, 0) if gold is None else (gold[row, piece], gold[row, max(piece - 1, 0)])
            message = crf_gold.PROBLEMS[number]
            raise ValueError(message.format(row=row, piece=piece, tag=tag, before=before, last_tag=self.n_tags - 1))
