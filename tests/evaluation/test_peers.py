"""Strict spans against seqeval and against conlleval's rules, on random tag sequences."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from ner_head.corpus.documents import Document
from ner_head.corpus.tagging import TagSet
from ner_head.evaluation.measures.slices import strict_scores

LABELS = ["LOC", "ORG", "PER"]
TAG_SET = TagSet.iob(LABELS)


def sequences(seed: int, *, legal: bool) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted tags of twenty sentences. In legal tags every I-x follows B-x or I-x."""
    rng = random.Random(seed)

    def tags(length: int) -> list[str]:
        row: list[str] = []
        for _ in range(length):
            before = row[-1] if row else "O"
            row.append(rng.choice([tag for tag in TAG_SET.tags if not legal or tag[0] != "I" or before[2:] == tag[2:]]))
        return row

    lengths = [rng.randint(1, 15) for _ in range(20)]
    return [tags(n) for n in lengths], [tags(n) for n in lengths]


def document(tags: list[str]) -> Document:
    """A document of one-character words with the spans of the tags."""
    spans = TAG_SET.spans([TAG_SET.index(tag) for tag in tags])
    return Document("1", "x" * len(tags), "cs", "t", (), tuple(spans))


def scored(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, list[float]]:
    scores = strict_scores([document(tags) for tags in gold], [document(tags) for tags in predicted])
    rows = {"micro": scores["micro"], **scores["per_type"]}
    return {name: [found["precision"], found["recall"], found["f1"]] for name, found in rows.items()}


@pytest.mark.parametrize("seed", range(20))
def test_legal_tags_score_as_in_seqevals_strict_mode(seed: int) -> None:
    gold, predicted = sequences(seed, legal=True)
    ours = scored(gold, predicted)
    theirs = classification_report(
        gold, predicted, mode="strict", scheme=IOB2, zero_division=0, output_dict=True, digits=9
    )
    assert set(ours) == {"micro", *LABELS}
    for name, row in ours.items():
        wanted = theirs["micro avg" if name == "micro" else name]
        assert row == pytest.approx([wanted["precision"], wanted["recall"], wanted["f1-score"]])


@pytest.mark.parametrize("seed", range(20))
def test_any_tags_score_as_in_seqevals_default_mode(seed: int) -> None:
    gold, predicted = sequences(seed, legal=False)
    theirs = [score(gold, predicted) for score in (precision_score, recall_score, f1_score)]
    assert scored(gold, predicted)["micro"] == pytest.approx(theirs)


def conlleval(gold: list[list[str]], predicted: list[list[str]]) -> Counter[str]:
    """Counts of correct, gold and predicted chunks by the algorithm of Tjong Kim Sang's conlleval."""
    counts: Counter[str] = Counter()

    def split(tag: str) -> tuple[str, str]:
        return (tag[0], tag[2:])

    def ends(before: tuple[str, str], now: tuple[str, str]) -> bool:
        return before[0] != "O" and (now[0] in "BO" or before[1] != now[1])

    def starts(before: tuple[str, str], now: tuple[str, str]) -> bool:
        return now[0] == "B" or (now[0] == "I" and (before[0] == "O" or before[1] != now[1]))

    for wanted, found in zip(gold, predicted, strict=True):
        inside, last_gold, last_found = False, ("O", ""), ("O", "")
        for one, other in zip([*wanted, "O"], [*found, "O"], strict=True):
            now_gold, now_found = split(one), split(other)
            end_gold, end_found = ends(last_gold, now_gold), ends(last_found, now_found)
            if inside:
                right = end_gold and end_found and last_gold[1] == last_found[1]
                counts["correct"] += right
                inside = not right and end_gold == end_found and now_gold[1] == now_found[1]
            start_gold, start_found = starts(last_gold, now_gold), starts(last_found, now_found)
            counts["gold"] += start_gold
            counts["predicted"] += start_found
            if start_gold and start_found and now_gold[1] == now_found[1]:
                inside = True
            last_gold, last_found = now_gold, now_found
    return counts


@pytest.mark.parametrize("seed", range(50))
def test_any_tags_count_as_in_conlleval(seed: int) -> None:
    gold, predicted = sequences(seed, legal=False)
    counts = conlleval(gold, predicted)
    wanted = [counts["correct"] / counts["predicted"], counts["correct"] / counts["gold"]]
    assert scored(gold, predicted)["micro"][:2] == pytest.approx(wanted)
