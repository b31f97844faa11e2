"""Which of the predicted spans are kept: types, and the smallest probability of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ner_head.base.errors import UsageError
from ner_head.corpus.documents import Document, Reading, Span


@dataclass(frozen=True)
class Choice:
    """The spans that are kept.

    Attributes:
        least: smallest probability of a span.
        least_of: smallest probability by label, instead of `least`.
        labels: labels that are kept; None for all.
    """

    least: float = 0.0
    least_of: Mapping[str, float] = field(default_factory=dict)
    labels: frozenset[str] | None = None

    def __post_init__(self) -> None:
        for least in (self.least, *self.least_of.values()):
            if not 0 <= least <= 1:
                raise UsageError(f"the least probability must be between 0 and 1, got {least}")

    @classmethod
    def of(cls, min_probability: float | Mapping[str, float], labels: Collection[str] | None = None) -> Choice:
        """A choice from one least probability, or from one by label; labels without one keep all spans.

        Raises:
            UsageError: a probability is not between 0 and 1, or `labels` is a string.
        """
        if isinstance(labels, str):
            raise UsageError(f"labels must be a list of labels, got one string; write [{labels!r}]")
        kept = None if labels is None else frozenset(labels)
        if isinstance(min_probability, Mapping):
            return cls(least_of=min_probability, labels=kept)
        return cls(least=min_probability, labels=kept)

    @classmethod
    def parse(cls, min_probability: str, labels: Collection[str] | None = None, *, name: str) -> Choice:
        """A choice from a text: `0.5`, `PER=0.8,ORG=0.9`, or both: `0.5,PER=0.8`.

        Args:
            min_probability: the text.
            labels: labels that are kept; None for all.
            name: name of the option, for messages.
        Raises:
            UsageError: the text is malformed, or a probability is not between 0 and 1.
        """
        least, least_of = 0.0, dict[str, float]()
        for part in parts_of(min_probability):
            label, equals, number = part.rpartition("=")
            if equals and label.strip():
                least_of[label.strip()] = _probability(number, name)
            else:
                least = _probability(part, name)
        return cls(least, least_of, None if labels is None else frozenset(labels))

    def check(self, known: Collection[str]) -> None:
        """Check that the labels are those of a model.

        Raises:
            UsageError: one of them is not.
        """
        for label in sorted({*self.least_of, *(self.labels or ())} - set(known)):
            raise UsageError(f"label {label!r}: the model has {', '.join(known)}")

    def __call__(self, document: Document) -> Document:
        """The document without the other spans. Readings that then have the same spans are one reading."""
        if self == Choice():
            return document
        spans = (s for s in self._of_labels(document.spans) if s.probability is None or s.probability >= self._of(s))
        readings = tuple(map(self._readings, document.readings))
        return replace(document, spans=tuple(spans), readings=readings)

    def _of(self, span: Span) -> float:
        return self.least_of.get(span.label, self.least)

    def _of_labels(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        return tuple(span for span in spans if self.labels is None or span.label in self.labels)

    def _readings(self, readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
        chances: dict[tuple[Span, ...], float] = {}
        for reading in readings:
            spans = self._of_labels(reading.spans)
            chances[spans] = chances.get(spans, 0.0) + reading.probability
        best = sorted(chances.items(), key=lambda item: -item[1])
        return tuple(Reading(min(chance, 1.0), spans) for spans, chance in best)


def parts_of(option: str) -> list[str]:
    """The parts of an option between commas, without white space."""
    return [part.strip() for part in option.split(",") if part.strip()]


def _probability(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"{name}: {text!r} is no number; give 0.5, or PER=0.8,ORG=0.9") from None
    if not 0 <= number <= 1:
        raise UsageError(f"{name}: must be between 0 and 1, got {text}")
    return number
