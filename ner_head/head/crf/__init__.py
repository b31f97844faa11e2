"""A linear-chain CRF: exact likelihoods, marginals, probabilities of spans and n-best paths."""

from ner_head.head.crf.layer import LinearChainCRF
from ner_head.head.crf.types import Forbidden, Hypothesis, SpanPattern

__all__ = ["Forbidden", "Hypothesis", "LinearChainCRF", "SpanPattern"]
