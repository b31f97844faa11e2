"""Documents to keep out of training, chosen to be to the rest what another topic is to a train topic.

Documents drawn at random will not do: their names, and often their very sentences, stand in other documents too, and a
tagger is right about names that it knows. What is held out is a part of each language's documents that belong
together, as far as they do: copies of an article, and articles that share names which few others have.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from zlib import crc32

from ner_head.corpus.documents import Document
from ner_head.evaluation.measures.slices import Form, forms

SHINGLE = 5  # words
COMMON = 30  # a shingle or form in more documents says nothing of two of them
COPY = 0.3  # share of the shorter document's shingles that makes two documents copies
TRIALS = 8


def hold_out(documents: Sequence[Document], share: float, *, seed: int) -> tuple[list[Document], list[Document]]:
    """Cut documents into those to train on and those held out, in their order.

    Args:
        documents: annotated.
        share: of each language's documents to hold out, about; a language of a single group of copies keeps it all.
        seed: of the trials, of which the one with the most new names wins.
    """
    by_language: dict[str, list[list[int]]] = defaultdict(list)
    if not share:
        return list(documents), []
    for group in copies(documents):
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


def copies(documents: Sequence[Document]) -> list[list[int]]:
    """Groups of documents that share much of their text, by union of pairs; most groups are single documents."""
    shingles = [_shingles(document) for document in documents]
    holders: dict[int, list[int]] = defaultdict(list)
    for i, found in enumerate(shingles):
        for shingle in found:
            holders[shingle].append(i)
    shared = Counter(
        (a, b) for each in holders.values() if 1 < len(each) <= COMMON for k, b in enumerate(each) for a in each[:k]
    )
    parent = list(range(len(documents)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for (a, b), count in shared.items():
        if count >= COPY * min(len(shingles[a]), len(shingles[b])):
            parent[root(b)] = root(a)
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(len(documents)):
        groups[root(i)].append(i)
    return list(groups.values())


def _shingles(document: Document) -> set[int]:
    words = document.text.lower().split()
    runs = (" ".join(words[i : i + SHINGLE]) for i in range(max(len(words) - SHINGLE + 1, 1)))
    return {crc32(run.encode("utf-8", "surrogatepass")) for run in runs}


def most_new(names: Sequence[set[Form]], sizes: Sequence[int], target: float, seed: int) -> list[int]:
    """Grow a set of groups from several starts; the one whose names are least known to the rest.

    Args:
        names: the forms of each group.
        sizes: documents in each group.
        target: how many documents to take, about; never all groups.
        seed: of the starts.
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
    """From one group on, take again and again the one that shares most with those taken; rare names weigh more."""
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
            continue  # an entry from before its score rose
        taken.add(group)
        chosen.append(group)
        total += sizes[group]
        for entry in cover(group):
            heapq.heappush(queue, entry)
    return chosen
