"""The counts of the BSNLP shared task: sets of forms without positions, by document and category.

All averages are micro averages: counts are summed over documents and categories, and then divided. A slice is `all`,
a category, a language, a topic, or a path of these: `pl/PER`, `brexit/ORG`, `brexit/pl`, `brexit/pl/PER`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ner_head.evaluation.measures.spans import Scores

ALL = "all"


class Mention(NamedTuple):
    """A row of an annotation file: lower-cased form and lemma, category, and the file's id of the entity."""

    form: str
    lemma: str
    category: str
    entity: str


@dataclass(frozen=True, slots=True)
class DocumentPair:
    """Gold and predicted mentions of one document. Repeated mentions count once."""

    topic: str
    language: str
    gold: tuple[Mention, ...]
    system: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """Counts of matches, for one metric. What is counted may differ between recall and precision.

    Attributes:
        found: Number of gold items that were found.
        gold: Number of gold items.
        right: Number of predicted items that are correct.
        system: Number of predicted items.
    """

    found: int = 0
    gold: int = 0
    right: int = 0
    system: int = 0

    def __add__(self, other: MatchCounts) -> MatchCounts:
        return MatchCounts(
            self.found + other.found, self.gold + other.gold, self.right + other.right, self.system + other.system
        )

    def scores(self) -> Scores:
        """Precision, recall and F1. An undefined score is 0."""
        precision = self.right / self.system if self.system else 0.0
        recall = self.found / self.gold if self.gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
        return {"precision": precision, "recall": recall, "f1": f1}


def relaxed_partial(gold: Iterable[Mention], system: Iterable[Mention]) -> MatchCounts:
    """Count entities and forms that share a word with the other side. There is no one-to-one alignment.

    The task compares all word n-grams of two forms. Two forms share an n-gram if and only if they share a word.
    """
    entities, forms = _by_entity(gold), {mention.form for mention in system}
    gold_words = {word for forms_of_one in entities.values() for form in forms_of_one for word in form.split(" ")}
    system_words = {word for form in forms for word in form.split(" ")}
    return MatchCounts(
        found=sum(any(not system_words.isdisjoint(form.split(" ")) for form in each) for each in entities.values()),
        gold=len(entities),
        right=sum(not gold_words.isdisjoint(form.split(" ")) for form in forms),
        system=len(forms),
    )


def relaxed_exact(gold: Iterable[Mention], system: Iterable[Mention]) -> MatchCounts:
    """Count entities of which at least one form was predicted. A predicted form that no entity has is wrong."""
    entities, forms = _by_entity(gold), {mention.form for mention in system}
    found = sum(not forms.isdisjoint(each) for each in entities.values())
    return MatchCounts(found, len(entities), found, found + len(forms.difference(*entities.values())))


def strict(gold: Iterable[Mention], system: Iterable[Mention]) -> MatchCounts:
    """Count forms, whatever their entity."""
    wanted, forms = {mention.form for mention in gold}, {mention.form for mention in system}
    both = len(wanted & forms)
    return MatchCounts(both, len(wanted), both, len(forms))


def normalization(gold: Iterable[Mention], system: Iterable[Mention]) -> MatchCounts:
    """Count lemmas of forms that differ from their lemma. Of several lemmas of a form, the last one counts."""
    wanted, lemmas = _lemmas(gold), _lemmas(system)
    both = sum(lemmas.get(form) == lemma for form, lemma in wanted.items())
    return MatchCounts(both, len(wanted), both, len(lemmas))


METRICS: dict[str, Callable[[Iterable[Mention], Iterable[Mention]], MatchCounts]] = {
    "relaxed_partial": relaxed_partial,
    "relaxed_exact": relaxed_exact,
    "strict": strict,
    "normalization": normalization,
}


def score(pairs: Iterable[DocumentPair]) -> dict[str, dict[str, Scores]]:
    """Scores by metric and slice. Slices without gold and predicted mentions are omitted, except `all`."""
    sums: dict[str, dict[str, MatchCounts]] = {metric: {ALL: MatchCounts()} for metric in METRICS}
    for (metric, topic, language, category), counts in match_counts(pairs, METRICS).items():
        found = sums[metric]
        for name in slices(topic, language, category) if counts.gold or counts.system else ():
            found[name] = found.get(name, MatchCounts()) + counts
    return {metric: {name: found[name].scores() for name in sorted(found)} for metric, found in sums.items()}


def lemma_accuracy(pairs: Iterable[DocumentPair]) -> dict[str, float]:
    """The share of the mentions of both sides that have the lemma of the gold side, in lower case, by slice.

    A mention is a form of one category in a document. Of several lemmas of a form, the last one counts.
    """
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for pair in pairs:
        gold, system = ({(m.form, m.category): m.lemma for m in side} for side in (pair.gold, pair.system))
        for (form, category), lemma in gold.items():
            if (form, category) in system:
                names = list(slices(pair.topic, pair.language, category))
                total.update(names)
                right.update(names if system[form, category] == lemma else ())
    return {name: right[name] / count for name, count in sorted(total.items())}


def match_counts(
    pairs: Iterable[DocumentPair], metrics: Iterable[str]
) -> Mapping[tuple[str, str, str, str], MatchCounts]:
    """Counts by (metric, topic, language, category)."""
    sums: dict[tuple[str, str, str, str], MatchCounts] = defaultdict(MatchCounts)
    for pair in pairs:
        gold, system = _by_category(pair.gold), _by_category(pair.system)
        for category in gold.keys() | system.keys():
            for metric in metrics:
                counts = METRICS[metric](gold.get(category, ()), system.get(category, ()))
                sums[metric, pair.topic, pair.language, category] += counts
    return sums


def slices(topic: str, language: str, category: str) -> Iterator[str]:
    """All slices that contain a category of a document, or, without a language, of the documents of a topic."""
    yield from (ALL, category)
    for path in (language, topic, f"{topic}/{language}") if language else (topic,):
        yield from (path, f"{path}/{category}")


def _by_category(mentions: Iterable[Mention]) -> dict[str, list[Mention]]:
    found: dict[str, list[Mention]] = defaultdict(list)
    for mention in mentions:
        found[mention.category].append(mention)
    return found


def _by_entity(mentions: Iterable[Mention]) -> dict[str, set[str]]:
    """The forms of each entity."""
    found: dict[str, set[str]] = defaultdict(set)
    for mention in mentions:
        found[mention.entity].add(mention.form)
    return found


def _lemmas(mentions: Iterable[Mention]) -> dict[str, str]:
    return {mention.form: mention.lemma for mention in mentions if mention.lemma != mention.form}
