"""The result of tagging as plain data. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import Span

if TYPE_CHECKING:
    from ner_head.head.crf import Hypothesis


@dataclass(frozen=True)
class Tagged:
    """The result for one sentence.

    Attributes:
        spans: spans of the best path, in words.
        hypotheses: the n best paths over the steps of the CRF.
        languages: (G,) log-probabilities; empty without a classifier.
        alternatives: spans of each hypothesis; empty for n = 1.
        vectors: (words of the span, layers, D) of each span, if they were asked for.
    """

    spans: list[Span]
    hypotheses: list[Hypothesis]
    languages: NDArray[np.float32]
    alternatives: list[list[Span]]
    vectors: list[NDArray[np.float16]] = field(default_factory=list)
