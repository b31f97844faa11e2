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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations
from math import log2
from typing import NamedTuple

from ner_head.evaluation.bsnlp_counts import ALL, DocumentPair, slices
from ner_head.evaluation.measures.spans import Scores


class Place(NamedTuple):
    """A mention: where it is, its category, and its lower-cased form."""

    topic: str
    language: str
    document: int
    category: str
    form: str


@dataclass(frozen=True)
class Level:
    """What an entity spans.

    Attributes:
        n_shared: How many of topic, language and document the mentions of an entity have in common.
        crosses: Whether only pairs in different languages are links.
    """

    n_shared: int
    crosses: bool = False


LEVELS = {
    "linking_document": Level(3),
    "linking_language": Level(2),
    "linking_cross_language": Level(1, crosses=True),
}

Ids = Mapping[Place, AbstractSet[str]]
"""The ids of the entities of each mention."""


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
    of_pairs = [_ids(pairs, side) for side in ("gold", "system")]
    of_all = [_ids([*pairs, *lacking], side) for side in ("gold", "system")]
    found = {}
    for name, level in LEVELS.items():
        gold, system = of_pairs if name == "linking_document" else of_all
        sums = {ALL: LinkSums()}
        for place, share, weight in _entities(gold, system, level):
            _add(sums, place, level, LinkSums(found=share, gold=weight))
        for place, share, weight in _entities(system, gold, level):
            _add(sums, place, level, LinkSums(right=share, system=weight))
        found[name] = {slice_: sums[slice_].scores() for slice_ in sorted(sums)}
    return found


def _ids(documents: Iterable[DocumentPair], side: str) -> dict[Place, set[str]]:
    """The ids of each mention of one side."""
    found: dict[Place, set[str]] = {}
    for number, document in enumerate(documents):
        for mention in document.gold if side == "gold" else document.system:
            place = Place(document.topic, document.language, number, mention.category, mention.form)
            found.setdefault(place, set()).add(mention.entity)
    return found


def _entities(ours: Ids, theirs: Ids, level: Level) -> Iterator[tuple[Place, float, float]]:
    """A mention of each of our entities, its weight times its score, and its weight."""
    members: dict[tuple[object, ...], list[Place]] = defaultdict(list)
    for place, ids in ours.items():
        for name in ids:
            members[(*place[: level.n_shared], place.category, name)].append(place)
    for places in members.values():
        if total := _links(places, level):
            weight = log2(len(places))
            yield places[0], weight * _shared(places, theirs, level) / total, weight


def _links(places: Sequence[Place], level: Level) -> int:
    """Number of links of mentions of one entity."""
    n = len(places)
    if n == 1 or not level.crosses:
        return n * (n - 1) // 2
    return (n * n - sum(count * count for count in Counter(place.language for place in places).values())) // 2


def _shared(places: Sequence[Place], theirs: Ids, level: Level) -> int:
    """Number of links of our entity that an entity of theirs has too. Within an entity, ids identify theirs."""
    parts: dict[str, list[Place]] = {}
    alike: dict[frozenset[str], list[Place]] = {}  # mentions of several of their entities
    for place in places:
        ids = theirs.get(place, ())
        for name in ids:
            parts.setdefault(name, []).append(place)
        if len(ids) > 1:
            alike.setdefault(frozenset(ids), []).append(place)
    count = sum(_links(part, level) for part in parts.values())
    for ids, part in alike.items():  # a link that n of their entities have was counted n times
        count -= (len(ids) - 1) * _links(part, level)
    for one, other in combinations(alike, 2):
        between = _links(alike[one] + alike[other], level) - _links(alike[one], level) - _links(alike[other], level)
        count -= max(len(one & other) - 1, 0) * between
    return count


def _add(sums: dict[str, LinkSums], place: Place, level: Level, added: LinkSums) -> None:
    """Add to all slices that contain an entity."""
    for name in slices(place.topic, "" if level.crosses else place.language, place.category):
        sums[name] = sums.get(name, LinkSums()) + added
