"""Which predicted spans are kept."""

from __future__ import annotations

import pytest

from ner_head.base.errors import UsageError
from ner_head.corpus.documents import Document, Reading, Span
from ner_head.prediction.choice import Choice

PER, LOC = Span(0, 3, "PER", 0.9), Span(10, 15, "LOC", 0.6)
FOUND = Document("1", "Jan je v  Praze", spans=(PER, LOC), readings=())


@pytest.mark.parametrize(
    ("least", "labels", "kept"),
    [
        (0.0, None, (PER, LOC)),
        (0.6, None, (PER, LOC)),
        (0.7, None, (PER,)),
        ({"PER": 0.95}, None, (LOC,)),
        ({"LOC": 0.6, "PER": 0.9}, ["LOC"], (LOC,)),
        (0.0, [], ()),
    ],
)
def test_spans_are_kept_by_probability_and_label(
    least: float | dict[str, float], labels: list[str] | None, kept: tuple[Span, ...]
) -> None:
    assert Choice.of(least, labels)(FOUND).spans == kept


def test_readings_that_differ_in_other_labels_only_are_one() -> None:
    readings = (Reading(0.5, (PER, LOC)), Reading(0.3, (LOC,)), Reading(0.15, (PER,)), Reading(0.05, ()))
    found = Choice.of(0, ["LOC"])(Document("1", FOUND.text, readings=(readings,)))
    ((best, other),) = found.readings
    assert (best.spans, other.spans) == ((LOC,), ())
    assert (best.probability, other.probability) == (pytest.approx(0.8), pytest.approx(0.2))


def test_a_wrong_choice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"between 0 and 1, got 1\.5"):
        Choice.of({"PER": 1.5})
    with pytest.raises(UsageError, match=r"write \['PER'\]"):
        Choice.of(0, "PER")
    with pytest.raises(UsageError, match="label 'MISC': the model has LOC, PER"):
        Choice.of(0, ["PER", "MISC"]).check(["LOC", "PER"])
