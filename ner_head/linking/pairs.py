"""Pairs of names that may be one entity, and the features of a pair. Imports no torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ner_head.linking.names import Name
from ner_head.linking.neighbours import Pairs, distinct, nearest
from ner_head.linking.spelling import Spelling, alike

CATEGORIES = ("PER", "LOC", "ORG", "PRO", "EVT")
CLOSE = 0.45  # cosine of the letter n-grams of words whose names are compared
PER_NAME = 50  # pairs of names with a common or a similar word, on average
MANY = 30  # documents; more are as good as this


def candidates(
    names: Sequence[Name], directions: NDArray[np.float32], spelling: Spelling, *, neighbours: int, seed: int = 0
) -> Pairs:
    """Pairs of names of one label that are near each other in spelling or in meaning.

    Args:
        names: N names.
        directions: (N, layers, D), of the names.
        spelling: The words of their keys.
        neighbours: Nearest names in each language and by each layer, and nearest words.
        seed: Seed of the search for neighbours.
    """
    found = list[Pairs]()
    for label in sorted({name.label for name in names}):
        members = [number for number, name in enumerate(names) if name.label == label]
        found += _by_words(members, names, spelling, neighbours, seed)
        groups: dict[str, list[int]] = defaultdict(list)
        for number in members:
            groups[names[number].language].append(number)
        pairs = [[one, other] for one, other in combinations(sorted(groups), 2)]
        for languages in [[language] for language in sorted(groups)] + pairs:
            chosen = np.array([number for language in languages for number in groups[language]])
            for layer in range(directions.shape[1]):
                found.append(chosen[nearest(directions[chosen, layer], neighbours, seed=seed)])
    return distinct(found, len(names))


def _by_words(
    members: Sequence[int], names: Sequence[Name], spelling: Spelling, neighbours: int, seed: int
) -> list[Pairs]:
    """Pairs of names that have a word in common, or a similar one.

    The rarest words are taken first, up to `PER_NAME` pairs for each name. If that leaves words over, each name is
    also compared with the names of the nearest spelling.
    """
    having: dict[str, list[int]] = defaultdict(list)
    for number in members:
        for word in dict.fromkeys(names[number].key):
            having[word].append(number)
    words = sorted(having)
    rows = spelling.rows[[spelling.number[word] for word in words]]
    near = nearest(rows, 4 * neighbours, least=CLOSE, seed=seed).tolist()
    blocks = [(having[word], having[word]) for word in words if len(having[word]) > 1]
    blocks += [(having[words[one]], having[words[other]]) for one, other in near]
    blocks.sort(key=lambda block: len(block[0]) * len(block[1]))
    found, left = list[Pairs](), PER_NAME * len(members)
    for firsts, seconds in blocks:
        left -= len(firsts) * len(seconds)
        if left < 0:
            of_names = np.stack([spelling.of_name(names[number].key) for number in members])
            found.append(np.array(members)[nearest(of_names, 4 * neighbours, seed=seed)])
            break
        found.append(np.stack([np.repeat(firsts, len(seconds)), np.tile(seconds, len(firsts))], 1))
    return found


def features(
    pairs: Pairs, names: Sequence[Name], directions: NDArray[np.float32], spelling: Spelling
) -> NDArray[np.float32]:
    """The features of pairs, (pairs, F)."""
    if not len(pairs):
        return np.zeros((0, 0), dtype=np.float32)
    first, second = pairs.T
    cosines = np.stack(
        [np.einsum("pd,pd->p", directions[first, i], directions[second, i]) for i in range(directions.shape[1])], 1
    )
    both = [(names[i], names[j]) for i, j in pairs.tolist()]
    spelled = np.array([_spelled(one, other, spelling) for one, other in both], dtype=np.float32)
    labels = np.array([[one.label == label for label in CATEGORIES] for one, _ in both], dtype=np.float32)
    whole, covered = spelled[:, 1:2], spelled[:, 2:3]
    parts = [spelled, cosines, cosines * (1 - whole), labels, labels * whole, labels * covered, labels * cosines[:, :1]]
    return np.concatenate(parts, 1).astype(np.float32)


def _spelled(one: Name, other: Name, spelling: Spelling) -> list[float]:
    """Features of the spelling and of the places of two names. The first is of the shorter one, if one is shorter."""
    if len(one.key) > len(other.key):
        one, other = other, one
    table = [[spelling.similarity(word, wanted) for wanted in other.key] for word in one.key]
    ours = sum(map(max, table)) / len(one.key)
    theirs = sum(map(max, zip(*table, strict=True))) / len(other.key)
    n_single = (len(one.key) == 1) + (len(other.key) == 1)
    shorter = min(len(one.spelled), len(other.spelled))
    return [
        float(one.spelled == other.spelled),
        alike(one.spelled, other.spelled) if ours > 0.4 else 0.0,
        ours,
        theirs,
        ours * theirs,
        table[-1][-1],
        table[0][0],
        min(_common_prefix(one.spelled, other.spelled), 6) / 6,
        float(one.spelled == "".join(word[0] for word in other.key) and len(other.key) > 1),
        float(n_single == 2),
        float(n_single == 1),
        float(len(one.key) == len(other.key)),
        float(one.language == other.language),
        float(not one.documents.isdisjoint(other.documents)),
        (min(len(one.documents), MANY) + min(len(other.documents), MANY)) / MANY,
        float(one.lemma.isupper()) + float(other.lemma.isupper()),
        float(one.lemma.isupper() != other.lemma.isupper()),
        shorter / 10,
    ]


def _common_prefix(one: str, other: str) -> int:
    length = 0
    for letter, wanted in zip(one, other, strict=False):
        if letter != wanted:
            break
        length += 1
    return length
