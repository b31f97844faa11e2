"""Held-out documents for calibration, selected to differ from the remaining documents as a new topic does.

Names and even sentences of randomly selected documents often occur in other documents, and a tagger is more accurate on
names that it knows. Therefore related documents of each language are held out together: near copies of an article, and
articles that share names which few other articles have.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ner_head.corpus.documents import Document
from ner_head.corpus.near_copies import COMMON, near_copies
from ner_head.evaluation.measures.slices import Form, forms

TRIALS = 8  # starting groups


def hold_out(documents: Sequence[Document], share: float, *, seed: int) -> tuple[list[Document], list[Document]]:
    """Split documents into those to train on and those held out, both in the given order.

    Args:
        documents: Annotated documents.
        share: Approximate share of the documents of each language to hold out. Nothing is held out of a language with
            a single group of near copies.
        seed: Seed of the starting groups that are tried.
    """
    by_language: dict[str, list[list[int]]] = defaultdict(list)
    if not share:
        return list(documents), []
    for group in near_copies(documents):
        by_language[documents[group[0]].language].append(group)
    held = set[int]()
    for _, groups in sorted(by_language.items()):
        if len(groups) > 1:
            names = [forms(documents[i] for i in group) for group in groups]
            sizes = [len(group) for group in groups]
            for chosen in most_new(names, sizes, share * sum(sizes), seed):
                held.update(groups[chosen])
    kept = [document for i, document in enumerate(documents) if i not in held]
    return kept, [documents[i] for i in sorted(held)]


def most_new(names: Sequence[set[Form]], sizes: Sequence[int], target: float, seed: int) -> list[int]:
    """Grow a set of groups from each of several starting groups; return the set with the largest share of new names.

    A name is new if it occurs in no other group.

    Args:
        names: Forms of each group.
        sizes: Number of documents in each group.
        target: Approximate number of documents to take. At least one group is left.
        seed: Seed of the starting groups.
    """
    rng = random.Random(seed)
    holders: dict[Form, list[int]] = defaultdict(list)
    for i, found in enumerate(names):
        for name in sorted(found):
            holders[name].append(i)

    def new(chosen: list[int]) -> float:
        inside = set(chosen)
        mine = set().union(*(names[i] for i in chosen))
        return sum(inside.issuperset(holders[name]) for name in mine) / max(len(mine), 1)

    starts = rng.sample(range(len(names)), min(TRIALS, len(names)))
    return max((grow(start, names, sizes, holders, target) for start in starts), key=new)


def grow(
    start: int, names: Sequence[set[Form]], sizes: Sequence[int], holders: dict[Form, list[int]], target: float
) -> list[int]:
    """Grow a set of groups greedily: add the group that shares most names with the set, with rare names weighing more.

    Args:
        start: Index of the starting group.
        names: Forms of each group.
        sizes: Number of documents in each group.
        holders: Indices of the groups with each form.
        target: Approximate number of documents to take.
    """
    chosen, covered, score = [start], set[Form](), [0.0] * len(names)
    queue = [(0.0, i) for i in range(len(names))]
    taken, total = {start}, sizes[start]

    def cover(group: int) -> Iterator[tuple[float, int]]:
        for name in sorted(names[group] - covered):
            covered.add(name)
            others = holders[name]
            if 1 < len(others) <= COMMON:
                for other in others:
                    score[other] += 1 / len(others) / math.log(1 + len(others)) / math.sqrt(1 + len(names[other]))
                    yield -score[other], other

    for entry in cover(start):
        heapq.heappush(queue, entry)
    while total < target and len(taken) < len(names) - 1:
        value, group = heapq.heappop(queue)
        if group in taken or -value < score[group]:
            continue  # outdated entry: the score has risen since
        taken.add(group)
        chosen.append(group)
        total += sizes[group]
        for entry in cover(group):
            heapq.heappush(queue, entry)
    return chosen
