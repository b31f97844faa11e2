"""How the BSNLP shared task counts: each document and category on its own, as sets of forms without positions.

Micro averages only: the counts are summed over documents and categories before they are divided. A slice is `all`,
a category, a language or a topic, or a path of them: `pl/PER`, `brexit/ORG`, `brexit/pl`, `brexit/pl/PER`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

ALL = "all"
Scores = dict[str, float]


class Mention(NamedTuple):
    """A row of an annotation file; form and lemma are lower-cased, `entity` is what the file calls the entity."""

    form: str
    lemma: str
    category: str
    entity: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The mentions of one document, by the gold and by the system; repeated ones count once."""

    topic: str
    language: str
    gold: tuple[Mention, ...]
    system: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What was found of the `gold` things, and how many of the `system`'s are right; the things may differ."""

    found: int = 0
    gold: int = 0
    right: int = 0
    system: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.found + other.found, self.gold + other.gold, self.right + other.right, self.system + other.system
        )

    def scores(self) -> Scores:
        """Precision, recall and F1; 0 where undefined."""
        precision = self.right / self.system if self.system else 0.0
        recall = self.found / self.gold if self.gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
        return {"precision": precision, "recall": recall, "f1": f1}


def relaxed_partial(gold: Iterable[Mention], system: Iterable[Mention]) -> Tally:
    """Entities and forms that share any word with the other side; nothing is aligned one to one.

    The task compares all word n-grams of two forms. Those meet exactly if two words do.
    """
    entities, forms = _by_entity(gold), {mention.form for mention in system}
    gold_words = {word for forms_of_one in entities.values() for form in forms_of_one for word in form.split(" ")}
    system_words = {word for form in forms for word in form.split(" ")}
    return Tally(
        found=sum(any(not system_words.isdisjoint(form.split(" ")) for form in each) for each in entities.values()),
        gold=len(entities),
        right=sum(not gold_words.isdisjoint(form.split(" ")) for form in forms),
        system=len(forms),
    )


def relaxed_exact(gold: Iterable[Mention], system: Iterable[Mention]) -> Tally:
    """Entities of which at least one form was found; forms that no entity has are wrong."""
    entities, forms = _by_entity(gold), {mention.form for mention in system}
    found = sum(not forms.isdisjoint(each) for each in entities.values())
    return Tally(found, len(entities), found, found + len(forms.difference(*entities.values())))


def strict(gold: Iterable[Mention], system: Iterable[Mention]) -> Tally:
    """Forms; entities play no part."""
    wanted, forms = {mention.form for mention in gold}, {mention.form for mention in system}
    both = len(wanted & forms)
    return Tally(both, len(wanted), both, len(forms))


def normalization(gold: Iterable[Mention], system: Iterable[Mention]) -> Tally:
    """Lemmas of the forms that are not their own lemma; of several, the last counts."""
    wanted, lemmas = _lemmas(gold), _lemmas(system)
    both = sum(lemmas.get(form) == lemma for form, lemma in wanted.items())
    return Tally(both, len(wanted), both, len(lemmas))


METRICS: dict[str, Callable[[Iterable[Mention], Iterable[Mention]], Tally]] = {
    "relaxed_partial": relaxed_partial,
    "relaxed_exact": relaxed_exact,
    "strict": strict,
    "normalization": normalization,
}


def score(pairs: Iterable[Pair]) -> dict[str, dict[str, Scores]]:
    """Scores by metric and slice; a slice in which neither side has anything is left out, `all` excepted."""
    sums: dict[str, dict[str, Tally]] = {metric: {ALL: Tally()} for metric in METRICS}
    for (metric, topic, language, category), tally in tallies(pairs, METRICS).items():
        slices = sums[metric]
        for name in _slices(topic, language, category) if tally.gold or tally.system else ():
            slices[name] = slices.get(name, Tally()) + tally
    return {metric: {name: slices[name].scores() for name in sorted(slices)} for metric, slices in sums.items()}


def tallies(pairs: Iterable[Pair], metrics: Iterable[str]) -> Mapping[tuple[str, str, str, str], Tally]:
    """(metric, topic, language, category) -> counts."""
    sums: dict[tuple[str, str, str, str], Tally] = defaultdict(Tally)
    for pair in pairs:
        gold, system = _by_category(pair.gold), _by_category(pair.system)
        for category in gold.keys() | system.keys():
            for metric in metrics:
                tally = METRICS[metric](gold.get(category, ()), system.get(category, ()))
                sums[metric, pair.topic, pair.language, category] += tally
    return sums


def _slices(topic: str, language: str, category: str) -> Iterator[str]:
    """All slices that a category of a document is a part of."""
    yield from (ALL, category)
    for path in (language, topic, f"{topic}/{language}"):
        yield from (path, f"{path}/{category}")


def _by_category(mentions: Iterable[Mention]) -> dict[str, list[Mention]]:
    found: dict[str, list[Mention]] = defaultdict(list)
    for mention in mentions:
        found[mention.category].append(mention)
    return found


def _by_entity(mentions: Iterable[Mention]) -> dict[str, set[str]]:
    """Entity -> its forms."""
    found: dict[str, set[str]] = defaultdict(set)
    for mention in mentions:
        found[mention.entity].add(mention.form)
    return found


def _lemmas(mentions: Iterable[Mention]) -> dict[str, str]:
    return {mention.form: mention.lemma for mention in mentions if mention.lemma != mention.form}
