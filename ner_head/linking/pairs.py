"""Pairs of names that may be one entity, and the features of a pair. Imports no torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ner_head.linking.names import Name
from ner_head.linking.neighbours import nearest
from ner_head.linking.spelling import Spelling, alike

CATEGORIES = ("PER", "LOC", "ORG", "PRO", "EVT")
CLOSE = 0.45  # cosine of the letter n-grams of words whose names are compared
COMMON = 100  # names that share a word are compared with each other up to this number
MANY = 30  # documents; more are as good as this


def candidates(
    names: Sequence[Name], directions: NDArray[np.float32], spelling: Spelling, *, neighbours: int, seed: int = 0
) -> list[tuple[int, int]]:
    """Pairs of names of one label that are near each other in spelling or in meaning, sorted.

    Args:
        names: N names.
        directions: (N, layers, D), of the names.
        spelling: The words of their keys.
        neighbours: Nearest names in each language and by each layer, and nearest words.
        seed: Seed of the search for neighbours.
    """
    found: set[tuple[int, int]] = set()
    for label in sorted({name.label for name in names}):
        members = [number for number, name in enumerate(names) if name.label == label]
        found |= _by_words(members, names, spelling, neighbours, seed)
        groups: dict[str, list[int]] = defaultdict(list)
        for number in members:
            groups[names[number].language].append(number)
        pairs = [[one, other] for one, other in combinations(sorted(groups), 2)]
        for languages in [[language] for language in sorted(groups)] + pairs:
            chosen = np.array([number for language in languages for number in groups[language]])
            for layer in range(directions.shape[1]):
                near = nearest(directions[chosen, layer], neighbours, seed=seed)
                found |= {_ordered(int(chosen[i]), int(chosen[j])) for i, j in near}
    return sorted(found)


def _by_words(
    members: Sequence[int], names: Sequence[Name], spelling: Spelling, neighbours: int, seed: int
) -> set[tuple[int, int]]:
    """Pairs of names that have a word in common, or a similar one."""
    having: dict[str, list[int]] = defaultdict(list)
    for number in members:
        for word in dict.fromkeys(names[number].key):
            having[word].append(number)
    words = sorted(having)
    rows = spelling.rows[[spelling.number[word] for word in words]]
    near = nearest(rows, 4 * neighbours, seed=seed)
    found: set[tuple[int, int]] = set()
    for word in words:
        found |= {_ordered(i, j) for i, j in combinations(having[word][:COMMON], 2)}
    for one, other in near:
        if float(rows[one] @ rows[other]) >= CLOSE:
            firsts, seconds = having[words[one]][:COMMON], having[words[other]][:COMMON]
            found |= {_ordered(i, j) for i in firsts for j in seconds if i != j}
    return found


def _ordered(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


def features(
    pairs: Sequence[tuple[int, int]], names: Sequence[Name], directions: NDArray[np.float32], spelling: Spelling
) -> NDArray[np.float32]:
    """The features of pairs, (pairs, F)."""
    if not pairs:
        return np.zeros((0, 0), dtype=np.float32)
    first, second = np.array(pairs).T
    cosines = np.stack(
        [np.einsum("pd,pd->p", directions[first, i], directions[second, i]) for i in range(directions.shape[1])], 1
    )
    spelled = np.array([_spelled(names[i], names[j], spelling) for i, j in pairs], dtype=np.float32)
    labels = np.array([[names[i].label == label for label in CATEGORIES] for i, _ in pairs], dtype=np.float32)
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
