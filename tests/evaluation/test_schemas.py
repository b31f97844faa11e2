from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator

from ner_head.corpus.documents import Document, Span
from ner_head.evaluation.schemas import SCHEMAS, Outcomes, breakdown, outcomes

LABELS = ["LOC", "ORG", "PER"]
THEIRS = {"strict": "strict", "exact": "exact", "partial": "partial", "type": "ent_type"}


def spans() -> st.SearchStrategy[tuple[Span, ...]]:
    """Spans in 30 characters, in the order of the text; they may overlap."""
    one = st.builds(lambda a, n, label: Span(a, a + n, label), st.integers(0, 25), st.integers(1, 5), labels())
    return st.lists(one, max_size=8, unique=True).map(lambda found: tuple(sorted(found)))


def labels() -> st.SearchStrategy[str]:
    return st.sampled_from(LABELS)


def document(found: Sequence[Span]) -> Document:
    return Document("1", "x" * 30, "cs", "t", (), tuple(found))


def for_nervaluate(found: Sequence[Span]) -> list[dict[str, object]]:
    # nervaluate's ends are inclusive
    return [{"label": span.label, "start": span.start, "end": span.end - 1} for span in found]


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(spans(), spans()), min_size=1, max_size=3))
def test_every_count_and_score_is_nervaluates(pairs: list[tuple[tuple[Span, ...], tuple[Span, ...]]]) -> None:
    ours = breakdown([document(gold) for gold, _ in pairs], [document(found) for _, found in pairs])
    gold, predicted = ([for_nervaluate(pair[side]) for pair in pairs] for side in (0, 1))
    theirs = Evaluator(gold, predicted, LABELS, loader="dict").evaluate()
    for schema, name in THEIRS.items():
        by_type = {label: found[name] for label, found in theirs["entities"].items()}
        assert set(ours[schema]["per_type"]) == set(by_type)
        pairs = [(ours[schema]["all"], theirs["overall"][name])]
        pairs += [(ours[schema]["per_type"][label], wanted) for label, wanted in by_type.items()]
        for found, wanted in pairs:
            for measure, value in found.items():
                assert value == pytest.approx(getattr(wanted, measure)), (schema, measure)


def test_each_schema_forgives_what_its_name_says() -> None:
    gold = [Span(0, 9, "PER"), Span(21, 25, "ORG"), Span(28, 33, "LOC"), Span(40, 44, "PRO")]
    found = [Span(0, 4, "PER"), Span(21, 25, "PRO"), Span(28, 33, "LOC"), Span(35, 37, "LOC")]
    assert outcomes(gold, found, "strict") == Outcomes(correct=1, incorrect=2, missed=1, spurious=1)
    assert outcomes(gold, found, "exact") == Outcomes(correct=2, incorrect=1, missed=1, spurious=1)
    assert outcomes(gold, found, "partial") == Outcomes(correct=2, partial=1, missed=1, spurious=1)
    assert outcomes(gold, found, "type") == Outcomes(correct=2, incorrect=1, missed=1, spurious=1)
    assert outcomes(gold, found, "partial").scores()["precision"] == 2.5 / 4


def test_nothing_at_all_scores_nothing() -> None:
    nothing = {"all": Outcomes().scores(), "per_type": {}}
    assert breakdown([document(())], [document(())]) == dict.fromkeys(SCHEMAS, nothing)


def test_a_label_called_all_is_not_the_sum_of_all() -> None:
    gold = document([Span(0, 4, "all"), Span(5, 9, "PER")])
    found = breakdown([gold], [document([Span(0, 4, "all")])])["strict"]
    assert found["per_type"]["all"]["recall"] == 1.0
    assert found["all"]["recall"] == 1 / 2
