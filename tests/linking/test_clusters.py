"""Keys, nearest rows and clusters, each against a plain oracle."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner_head.linking import neighbours
from ner_head.linking.clusters import ABSENT, cluster
from ner_head.linking.keys import key, latin, skeleton
from ner_head.linking.neighbours import nearest
from ner_head.linking.spelling import Spelling, alike


@pytest.mark.parametrize(
    ("one", "other"),
    [("Novák", "Новак"), ("Katarina Novotná", "Катарина Новотна"), ("Szymon", "Шимон"), ("Juncker", "Юнкер")],
)
def test_names_in_cyrillic_and_latin_letters_have_one_key(one: str, other: str) -> None:
    assert key(one) == key(other)


def test_a_name_without_letters_is_its_own_key_and_other_scripts_stay() -> None:
    assert key("—") == ("—",)
    assert key("国立 大学") == ("国立", "大学")
    assert latin("Łódź") == "lodz"
    assert skeleton("petrov") == skeleton("petraf")


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_words_are_alike_by_the_fewest_changes(one: str, other: str) -> None:
    def distance(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0]))

    assert alike(one, other) == pytest.approx(1 - distance(one, other) / max(len(one), len(other), 1))


def test_similar_words_are_more_similar_than_others() -> None:
    spelling = Spelling(["novak", "novakova", "praha"])
    assert spelling.similarity("novak", "novak") == 1
    assert spelling.similarity("novak", "novakova") > 0.5 > spelling.similarity("novak", "praha")


def test_the_nearest_rows_are_those_of_all_pairs_and_most_of_them_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    products = rows @ rows.T - 2 * np.eye(200)
    wanted = {(min(i, int(j)), max(i, int(j))) for i in range(200) for j in np.argsort(-products[i])[:3]}
    assert nearest(rows, 3).tolist() == sorted(map(list, wanted))
    near = {(i, j) for i, j in wanted if rows[i] @ rows[j] >= 0.8}
    assert near
    assert nearest(rows, 3, least=0.8).tolist() == sorted(map(list, near))
    monkeypatch.setattr(neighbours, "LEAF", 50)
    assert len(set(map(tuple, nearest(rows, 3).tolist())) & wanted) > len(wanted) / 2
    assert nearest(rows[:1], 3).shape == (0, 2)


def plain(
    n: int, links: dict[tuple[int, int], float], threshold: float, known: dict[int, tuple[str, str]]
) -> set[frozenset[int]]:
    """Average linkage from the definition."""
    found = [frozenset([i]) for i in range(n) if i not in known]
    found += [frozenset(i for i in known if known[i] == place) for place in sorted(set(known.values()))]

    def mean(a: frozenset[int], b: frozenset[int]) -> float:
        ids = {known[i] for i in a | b if i in known}
        pairs = [links.get((min(i, j), max(i, j)), ABSENT) for i in a for j in b]
        return -1.0 if len(ids) > 1 else sum(pairs) / len(pairs)

    while len(found) > 1:
        one, other = max(combinations(found, 2), key=lambda pair: mean(*pair))
        if mean(one, other) < threshold:
            break
        found = [each for each in found if each not in (one, other)] + [one | other]
    return set(found)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.sampled_from([0.3, 0.5, 0.8]), st.integers(0, 4))
def test_clusters_are_those_of_average_linkage(seed: int, n: int, threshold: float, n_known: int) -> None:
    random = np.random.default_rng(seed)
    links = {pair: float(random.random()) for pair in combinations(range(n), 2) if random.random() < 0.7}
    known = {int(i): ("PER", f"id {random.integers(2)}") for i in random.integers(0, n, n_known)}
    found = cluster(n, list(links), list(links.values()), threshold=threshold, known=known)
    assert {frozenset(each.members) for each in found} == plain(n, links, threshold, known)


def test_a_cluster_says_how_sure_it_is() -> None:
    pairs, probabilities = [(0, 1), (1, 2), (0, 2), (2, 3)], [0.9, 0.8, 0.7, 0.4]
    joined, alone = cluster(4, pairs, probabilities, threshold=0.5, known={})
    assert (joined.members, joined.certainty) == ((0, 1, 2), pytest.approx(0.75))
    assert alone.members == (3,)
    assert alone.certainty == pytest.approx(1 - (0.4 + 2 * ABSENT) / 3)
