"""Agglomerative clustering of names with average linkage, on the pairs that were compared. Imports no torch."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ABSENT = 0.02  # probability that two names are one entity which were not compared


@dataclass(frozen=True)
class Cluster:
    """Names of one entity.

    Attributes:
        members: Numbers of the names.
        known: Id of the entity in train, if a name of it is in train.
        certainty: Least mean probability at which parts of it were joined. For a single name, 1 less the largest
            probability that it belongs to another cluster.
    """

    members: tuple[int, ...]
    known: str | None
    certainty: float


def cluster(
    n_names: int,
    pairs: Sequence[tuple[int, int]],
    probabilities: Sequence[float],
    *,
    threshold: float,
    known: Mapping[int, tuple[str, str]],
) -> list[Cluster]:
    """Join the two clusters with the largest mean probability of their pairs, as long as it reaches the threshold.

    Time grows with n log n and memory with n, for n pairs.

    Args:
        n_names: Number of names.
        pairs: Pairs of names that were compared; of all others the probability is `ABSENT`.
        probabilities: Of each pair, that both names are one entity.
        threshold: Least mean probability.
        known: Label and id of names of train. Those with the same id are joined first, those with different ids never.
    """
    work = _Clusters(n_names, known)
    for (one, other), probability in zip(pairs, probabilities, strict=True):
        work.links[one][other] = work.links[other][one] = probability - ABSENT
    first: dict[tuple[str, str], int] = {}
    for name, place in sorted(known.items()):
        if first.setdefault(place, name) != name:
            work.join(first[place], name, 1.0)
    work.run(threshold)
    return work.result()


class _Clusters:
    """Clusters by the number of a member. `links` has the sums of the probabilities, less `ABSENT`, of their pairs."""

    def __init__(self, n_names: int, known: Mapping[int, tuple[str, str]]) -> None:
        self.members = [[number] for number in range(n_names)]
        self.links: list[dict[int, float]] = [{} for _ in range(n_names)]
        self.known = [known.get(number) for number in range(n_names)]
        self.certainty = [1.0] * n_names

    def mean(self, one: int, other: int) -> float:
        """Mean probability of the pairs between two clusters."""
        return self.links[one][other] / (len(self.members[one]) * len(self.members[other])) + ABSENT

    def join(self, one: int, other: int, mean: float) -> None:
        """Join the second cluster to the first."""
        self.members[one] += self.members[other]
        self.members[other] = []
        self.known[one] = self.known[one] or self.known[other]
        self.certainty[one] = min(self.certainty[one], self.certainty[other], mean)
        for third, link in self.links[other].items():
            del self.links[third][other]
            if third != one:
                self.links[one][third] = self.links[third][one] = self.links[one].get(third, 0.0) + link
        self.links[other] = {}

    def apart(self, one: int, other: int) -> bool:
        """Whether two clusters are different entities of train."""
        return self.known[one] is not None and self.known[other] is not None and self.known[one] != self.known[other]

    def run(self, threshold: float) -> None:
        """Join clusters. An entry of the heap is out of date if one of the clusters has grown since."""
        heap = [
            self._entry(i, j)
            for i, links in enumerate(self.links)
            for j in links
            if i < j and self.mean(i, j) >= threshold and not self.apart(i, j)
        ]
        heapq.heapify(heap)
        while heap:
            negative, one, other, *sizes = heapq.heappop(heap)
            if [len(self.members[one]), len(self.members[other])] != sizes or self.apart(one, other):
                continue
            self.join(one, other, -negative)
            for third in self.links[one]:
                if self.mean(one, third) >= threshold and not self.apart(one, third):
                    heapq.heappush(heap, self._entry(one, third))

    def _entry(self, one: int, other: int) -> tuple[float, int, int, int, int]:
        return -self.mean(one, other), one, other, len(self.members[one]), len(self.members[other])

    def result(self) -> list[Cluster]:
        """The clusters, by their first name."""
        found = []
        for number, members in enumerate(self.members):
            if not members:
                continue
            certainty = self.certainty[number]
            if len(members) == 1:
                certainty = 1 - max((self.mean(number, other) for other in self.links[number]), default=0.0)
            place = self.known[number]
            found.append(Cluster(tuple(sorted(members)), place[1] if place else None, certainty))
        return sorted(found, key=lambda each: each.members)
