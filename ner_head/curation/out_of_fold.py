"""Beliefs about documents of heads that were trained without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ner_head.corpus.documents import Document
from ner_head.curation.beliefs import SentenceBeliefs, beliefs
from ner_head.folds.heads import SubsetHeads
from ner_head.folds.out_of_fold import train_folds


def out_of_fold_beliefs(
    heads: SubsetHeads, documents: Sequence[Document], n_folds: int, *, seed: int = 0
) -> Iterator[SentenceBeliefs]:
    """The beliefs about each sentence, fold after fold. For the arguments and errors see `train_folds`."""
    for fold in train_folds(heads, documents, n_folds, seed=seed):
        for each in beliefs(fold.tagger, [documents[i] for i in fold.held], heads.store):
            yield replace(each, document=fold.held[each.document])
