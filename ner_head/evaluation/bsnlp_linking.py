"""The linking scores of the BSNLP shared task: LEA (Moosavi & Strube, 2016), as the task's evaluator weighs it.

A mention is a form of one category in one document; repetitions count once. An entity is all mentions that have the
same id and category, within a document, within the documents of a language, or within a topic. Mentions of different
topics are never linked. A form that has two ids is a mention of both entities.

A link is a pair of mentions of one entity; across languages, a pair in different languages. An entity of n mentions
weighs log2(n), and its score is the share of its links that are links of the other side too. A link that several
entities of the other side have counts once. Recall is the weighted mean of the scores of the gold entities, precision
that of the predicted ones. Entities without links are left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations
from math import log2
from typing import NamedTuple

from ner_head.evaluation.bsnlp_counts import ALL, DocumentPair, slices
from ner_head.evaluation.measures.spans import Scores


class Place(NamedTuple):
    """A mention: where it is, and its lower-cased form and category."""

    topic: str
    language: str
    document: int
    category: str
    form: str


@dataclass(frozen=True)
class Level:
    """What an entity spans.

    Attributes:
        scope: The part of a place that two mentions of an entity have in common.
        crosses: Whether only pairs in different languages are links.
    """

    scope: Callable[[Place], tuple[Hashable, ...]]
    crosses: bool = False


LEVELS: dict[str, Level] = {
    "linking_document": Level(lambda place: (place.topic, place.language, place.document)),
    "linking_language": Level(lambda place: (place.topic, place.language)),
    "linking_cross_language": Level(lambda place: (place.topic,), crosses=True),
}

Entity = tuple[Hashable, ...]
"""Scope, category and id."""
Entities = Mapping[Place, AbstractSet[Entity]]
"""The entities of each mention."""


@dataclass(frozen=True, slots=True)
class LinkSums:
    """Weighted sums of the scores of entities.

    Attributes:
        found: Sum of weight times score of the gold entities.
        gold: Sum of their weights.
        right: Sum of weight times score of the predicted entities.
        system: Sum of their weights.
    """

    found: float = 0.0
    gold: float = 0.0
    right: float = 0.0
    system: float = 0.0

    def __add__(self, other: LinkSums) -> LinkSums:
        return LinkSums(
            self.found + other.found, self.gold + other.gold, self.right + other.right, self.system + other.system
        )

    def scores(self) -> Scores:
        """Precision, recall and F1. An undefined score is 0."""
        precision = self.right / self.system if self.system else 0.0
        recall = self.found / self.gold if self.gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
        return {"precision": precision, "recall": recall, "f1": f1}


def linking_scores(pairs: Sequence[DocumentPair], lacking: Sequence[DocumentPair]) -> dict[str, dict[str, Scores]]:
    """Linking scores by level and slice. Slices without links are omitted, except `all`.

    Args:
        pairs: Documents that both sides have.
        lacking: Gold documents that the system lacks. They count in the recall of the two upper levels.
    """
    found = {}
    for name, level in LEVELS.items():
        documents = pairs if name == "linking_document" else [*pairs, *lacking]
        gold, system = (_entities(documents, level, side) for side in ("gold", "system"))
        sums = {ALL: LinkSums()}
        for place, (share, weight) in _sides(gold, system, level):
            _add(sums, place, level, LinkSums(found=share, gold=weight))
        for place, (share, weight) in _sides(system, gold, level):
            _add(sums, place, level, LinkSums(right=share, system=weight))
        found[name] = {slice_: sums[slice_].scores() for slice_ in sorted(sums)}
    return found


def _entities(documents: Iterable[DocumentPair], level: Level, side: str) -> dict[Place, set[Entity]]:
    """The entities of each mention of one side."""
    found: dict[Place, set[Entity]] = defaultdict(set)
    for number, document in enumerate(documents):
        for mention in document.gold if side == "gold" else document.system:
            place = Place(document.topic, document.language, number, mention.category, mention.form)
            found[place].add((*level.scope(place), mention.category, mention.entity))
    return found


def _sides(ours: Entities, theirs: Entities, level: Level) -> Iterable[tuple[Place, tuple[float, float]]]:
    """Weight times score, and weight, of each of our entities, with one of its mentions."""
    members: dict[Entity, list[Place]] = defaultdict(list)
    for place, entities in ours.items():
        for entity in entities:
            members[entity].append(place)
    for places in members.values():
        if total := _links(places, level):
            weight = log2(len(places))
            yield places[0], (weight * _shared(places, theirs, level) / total, weight)


def _links(places: Sequence[Place], level: Level) -> int:
    """Number of links of mentions of one entity."""
    n = len(places)
    if not level.crosses:
        return n * (n - 1) // 2
    return (n * n - sum(count * count for count in Counter(place.language for place in places).values())) // 2


def _shared(places: Sequence[Place], theirs: Entities, level: Level) -> int:
    """Number of links of our entity that an entity of theirs has too."""
    parts: dict[Entity, list[Place]] = defaultdict(list)
    alike: dict[frozenset[Entity], list[Place]] = defaultdict(list)  # mentions of several of their entities
    for place in places:
        entities = theirs.get(place, set())
        for entity in entities:
            parts[entity].append(place)
        if len(entities) > 1:
            alike[frozenset(entities)].append(place)
    count = sum(_links(part, level) for part in parts.values())
    for entities, part in alike.items():  # a link that n of their entities have was counted n times
        count -= (len(entities) - 1) * _links(part, level)
    for one, other in combinations(alike, 2):
        between = _links(alike[one] + alike[other], level) - _links(alike[one], level) - _links(alike[other], level)
        count -= max(len(one & other) - 1, 0) * between
    return count


def _add(sums: dict[str, LinkSums], place: Place, level: Level, added: LinkSums) -> None:
    """Add to all slices that contain an entity."""
    for name in slices(place.topic, "" if level.crosses else place.language, place.category):
        sums[name] = sums.get(name, LinkSums()) + added
