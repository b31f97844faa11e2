"""A linear-chain CRF: exact likelihoods, marginals, probabilities of spans and n-best paths."""

from ner_head.head.crf.layer import LinearChainCRF
from ner_head.head.crf.nbest import Hypothesis

__all__ = ["Hypothesis", "LinearChainCRF"]
