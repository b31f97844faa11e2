"""Divide documents into folds and into samples of a size; near copies of one text stay together."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from ner_head.base.errors import UsageError
from ner_head.corpus.documents import Document
from ner_head.corpus.near_copies import near_copies


def assign_folds(documents: Sequence[Document], n_folds: int, *, seed: int = 0) -> list[int]:
    """The fold of each document, from 0 to `n_folds` - 1.

    Groups of near copies are assigned whole, the largest first, each to the fold that has fewest documents of the
    group's languages, then fewest documents. Groups of equal size are in random order.

    Args:
        documents: documents of any languages.
        n_folds: number of folds, at least 2.
        seed: seed of the order of groups.
    Raises:
        UsageError: there are fewer groups than folds, or scipy is not installed.
    """
    groups = near_copies(documents)
    if len(groups) < n_folds:
        raise UsageError(
            f"{n_folds} folds of {len(documents):,} documents in {len(groups):,} groups (near copies are kept "
            "together): each fold needs a group; ask for fewer folds, or annotate more documents"
        )
    random.Random(seed).shuffle(groups)
    of_language = [Counter[str]() for _ in range(n_folds)]
    folds = [0] * len(documents)
    for group in sorted(groups, key=len, reverse=True):
        languages = Counter(documents[i].language for i in group)

        def load(fold: int, languages: Counter[str] = languages) -> tuple[int, int, int]:
            mine = of_language[fold]
            return sum(mine[language] * n for language, n in languages.items()), mine.total(), fold

        chosen = min(range(n_folds), key=load)
        of_language[chosen] += languages
        for i in group:
            folds[i] = chosen
    return folds


def sample_groups(groups: Sequence[Sequence[int]], n_documents: int, *, seed: int) -> list[int]:
    """Indices of about `n_documents` documents in whole groups, in order.

    The groups are in one random order for a seed, so a larger sample with the same seed contains a smaller one, except
    that groups that would exceed the number are passed over.

    Args:
        groups: groups of indices.
        n_documents: largest number of documents; the first group is taken if all have more.
        seed: seed of the order of groups.
    """
    order = sorted(groups, key=lambda group: group[0])
    random.Random(seed).shuffle(order)
    chosen: list[int] = []
    for group in order:
        if len(chosen) + len(group) <= n_documents:
            chosen += group
    return sorted(chosen or order[0])
