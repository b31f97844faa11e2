"""Linking scores: LEA by enumeration of pairs, each rule by hand, and the figures of the task's evaluator."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.evaluation.bsnlp import score_directories
from ner_head.evaluation.bsnlp_counts import DocumentPair, Mention
from ner_head.evaluation.bsnlp_linking import LEVELS, linking_scores
from tests.evaluation.test_bsnlp import CASES, of

Row = tuple[str, str, int, str, str, str]  # topic, language, document, form, category, id


def links(rows: set[Row], level: str) -> dict[tuple[object, ...], set[frozenset[tuple[object, ...]]]]:
    """The pairs of mentions of each entity; and an entity's mentions alone, as pairs of a mention with itself."""
    n_shared = {"linking_document": 3, "linking_language": 2, "linking_cross_language": 1}[level]
    found: dict[tuple[object, ...], set[frozenset[tuple[object, ...]]]] = {}
    for row in rows:
        members = [m[:5] for m in rows if (m[:n_shared], m[4:]) == (row[:n_shared], row[4:])]
        pairs = {frozenset(pair) for pair in combinations(members, 2)}
        if level == "linking_cross_language":
            pairs = {pair for pair in pairs if len({mention[1] for mention in pair}) == 2}
        found[(*row[:n_shared], *row[4:])] = pairs | {frozenset([member]) for member in members}
    return found


def lea(ours: set[Row], theirs: set[Row], level: str) -> float:
    """Recall of their links, straight from the definition."""
    linked = {pair for pairs in links(theirs, level).values() for pair in pairs if len(pair) == 2}
    share = weights = 0.0
    for members in links(ours, level).values():
        pairs = {pair for pair in members if len(pair) == 2}
        if pairs:
            weight = log2(len(members - pairs))
            share += weight * len(pairs & linked) / len(pairs)
            weights += weight
    return share / weights if weights else 0.0


names = st.tuples(st.sampled_from("ab"), st.sampled_from(["PER", "LOC"]), st.sampled_from("123"))
documents = st.lists(
    st.tuples(st.sampled_from("tu"), st.sampled_from(["cs", "pl"]), st.lists(names), st.lists(names)), max_size=6
)


@given(documents, st.integers(0, 6))
def test_lea_is_that_of_all_pairs(
    drawn: Sequence[tuple[str, str, list[tuple[str, ...]], list[tuple[str, ...]]]], n: int
) -> None:
    pairs = [
        DocumentPair(
            topic,
            language,
            tuple(Mention(form, "", category, name) for form, category, name in gold),
            tuple(Mention(form, "", category, name) for form, category, name in system if number < n),
        )
        for number, (topic, language, gold, system) in enumerate(drawn)
    ]
    scores = linking_scores(pairs[:n], pairs[n:])
    for level in LEVELS:
        kept = pairs[:n] if level == "linking_document" else pairs
        gold, system = (
            {
                (pair.topic, pair.language, number, mention.form, mention.category, mention.entity)
                for number, pair in enumerate(kept)
                for mention in (pair.gold if side == "gold" else pair.system)
            }
            for side in ("gold", "system")
        )
        wanted = of(lea(system, gold, level), lea(gold, system, level))
        assert scores[level]["all"] == pytest.approx(wanted)


def pair(gold: str, system: str, *, language: str = "cs", topic: str = "t") -> DocumentPair:
    """A document whose mentions are written as `form=id`."""
    sides = (
        [Mention(form, "", "PER", name) for form, name in (m.split("=") for m in side.split())]
        for side in (gold, system)
    )
    return DocumentPair(topic, language, *map(tuple, sides))


def test_an_entity_weighs_the_logarithm_of_its_size_and_single_mentions_nothing() -> None:
    found = linking_scores([pair("a=1 b=1 c=1 d=1 e=2 f=2 g=3", "a=x b=x c=x d=y e=z f=z g=w")], [])
    assert found["linking_document"]["all"] == of(1, (2 * 3 / 6 + 1) / (2 + 1))


def test_documents_and_languages_and_topics_bound_the_links() -> None:
    pairs = [
        pair("a=1 b=1", "a=x b=y"),
        pair("a=1", "a=x"),
        pair("c=1", "c=x", language="pl"),
        pair("a=1", "a=x", topic="u"),
    ]
    found = linking_scores(pairs, [])
    assert found["linking_document"] == {
        name: of(0, 0) for name in ("PER", "all", "cs", "cs/PER", "t", "t/PER", "t/cs", "t/cs/PER")
    }
    assert found["linking_language"]["t/cs"] == pytest.approx(of(1, 1 / 3))
    assert found["linking_cross_language"]["t"] == pytest.approx(of(1, 2 / 3))
    assert "u" not in found["linking_cross_language"]


def test_a_lacking_document_costs_recall_but_not_in_documents() -> None:
    found = linking_scores([pair("a=1 b=1", "a=x b=x")], [pair("c=1 d=1", "")])
    assert found["linking_document"]["all"] == of(1, 1)
    assert found["linking_language"]["all"] == of(1, 1 / 6)


def test_a_link_that_two_entities_have_counts_once() -> None:
    both = "a=1 a=2 b=1 b=2 c=1"
    assert linking_scores([pair(both, both)], [])["linking_document"]["all"] == of(1, 1)
    assert linking_scores([pair("a=1 b=1 c=1 d=1", both)], [])["linking_document"]["all"] == of(1, 3 / 6)


def test_all_slices_are_the_evaluators_to_five_decimals() -> None:
    if not CASES.is_dir():
        pytest.skip(f"{CASES} is not here: the evaluator's figures are needed")
    expected = json.loads((CASES / "expected_linking.json").read_text(encoding="utf-8"))
    compared = 0
    for system, metrics in expected.items():
        found = score_directories(CASES / "golden", CASES / "systems" / system)
        for level in LEVELS:
            assert found[level].keys() == metrics[level].keys()
            for name, scores in metrics[level].items():
                # half of the last decimal, and the error of the evaluator's single precision
                assert found[level][name] == pytest.approx(scores, abs=5.1e-6, rel=0), (system, level, name)
                compared += 1
    assert compared == 644
