"""Out-of-fold predictions: each document is predicted by a head that was trained without it and its near copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.folds.groups import assign_folds
from ner_head.folds.heads import SubsetHeads
from ner_head.inference.tagger import Tagger

FEWEST = 50
"""Smallest number of gold spans from which folds are trained."""


@dataclass(frozen=True)
class Fold:
    """A fold: documents that were held out, and a tagger that was trained on all others.

    Attributes:
        number: number of the fold, from 0.
        held: indices of the documents that were held out.
        tagger: tagger of the other documents.
    """

    number: int
    held: list[int]
    tagger: Tagger


def train_folds(
    heads: SubsetHeads, documents: Sequence[Document], n_folds: int, *, seed: int = 0, only: int | None = None
) -> Iterator[Fold]:
    """Train a head for each fold, in turn; heads that are finished are read.

    Args:
        heads: heads of a session over these documents.
        documents: annotated documents.
        n_folds: number of folds.
        seed: seed of the folds.
        only: number of the only fold to train; None for all.
    Raises:
        UsageError: there are too few groups of near copies for the folds.
        DataError: there are fewer than `FEWEST` gold spans.
    """
    check_enough(documents)
    folds = assign_folds(documents, n_folds, seed=seed)
    for number in range(n_folds) if only is None else [only]:
        kept = [document for document, fold in zip(documents, folds, strict=True) if fold != number]
        held = [i for i, fold in enumerate(folds) if fold == number]
        yield Fold(number, held, heads.tagger(kept))


def check_enough(documents: Sequence[Document]) -> None:
    """Check that there are enough gold spans for a result that means something.

    Raises:
        DataError: there are too few.
    """
    n_spans = sum(len(document.spans) for document in documents)
    if n_spans < FEWEST:
        raise DataError(
            f"{len(documents):,} documents have {n_spans:,} gold spans, and {FEWEST} are needed; annotate more"
        )
