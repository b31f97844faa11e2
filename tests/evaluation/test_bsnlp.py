"""Scores of the shared task: each rule by hand, the figures of the task's evaluator, and a round trip of files."""

from __future__ import annotations

import json
import time
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.evaluation import bsnlp_counts
from ner_head.evaluation.bsnlp import pair_directories, score_directories, table, write_predictions
from ner_head.evaluation.bsnlp_counts import MatchCounts, Mention, Scores
from ner_head.formats import bsnlp as corpus
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from tests.conftest import ROOT, SHARED
from tests.corpus.strategies import write

FILE = "brexit/pl/one.out"
CASES = SHARED / "scorer_cases"
METRICS = ["relaxed_partial", "relaxed_exact", "strict", "normalization"]
LINKING = ["linking_document", "linking_language", "linking_cross_language"]  # tested in test_bsnlp_linking.py


def scored(root: Path, gold: str, system: str) -> dict[str, dict[str, Scores]]:
    """One document on each side, with the given rows below its id."""
    write(root, {f"gold/{FILE}": f"pl-1\n{gold}", f"system/{FILE}": f"pl-1\n{system}"})
    return score_directories(root / "gold", root / "system")


def of(precision: float, recall: float) -> Scores:
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


# --- counting -----------------------------------------------------------------------------------------------------


def test_strict_compares_distinct_lower_cased_forms_of_a_category(tmp_path: Path) -> None:
    gold = "Theresa May\tx\tPER\t1\nMAY\tx\tPER\t1\nmay\tx\tPER\t2\nUE\tx\tORG\t3\nEU\tx\tORG\t3\n"
    system = "may\tx\tPER\t9\nUE\tx\tLOC\t9\nue\tx\tORG\t9\n"
    strict = scored(tmp_path, gold, system)["strict"]
    assert strict["PER"] == of(1 / 1, 1 / 2)  # of {theresa may, may}
    assert strict["ORG"] == of(1 / 1, 1 / 2)
    assert strict["LOC"] == of(0, 0)  # a form in another category does not match
    assert strict["all"] == of(2 / 3, 2 / 4)


def test_relaxed_exact_counts_entities_of_which_one_form_is_enough(tmp_path: Path) -> None:
    gold = "Theresa May\tx\tPER\t1\nMay\tx\tPER\t1\nMaya\tx\tPER\t2\nMay\tx\tPER\t3\n"
    exact = scored(tmp_path, gold, "May\tx\tPER\t7\nTheresa May\tx\tPER\t8\nJune\tx\tPER\t9\n")["relaxed_exact"]
    assert exact["PER"] == of(2 / (2 + 1), 2 / 3)  # 1 and 3 are found, 2 is not; june belongs to no entity


def test_relaxed_partial_takes_any_shared_word_a_preposition_too(tmp_path: Path) -> None:
    gold = "Bank of England\tx\tORG\t1\nBank\tx\tORG\t1\nHouse of Lords\tx\tORG\t2\nUE\tx\tORG\t3\n"
    partial = scored(tmp_path, gold, "out of\tx\tORG\t8\nEngland's\tx\tORG\t9\n")["relaxed_partial"]
    assert partial["ORG"] == of(1 / 2, 2 / 3)


def test_relaxed_partial_splits_at_every_single_space(tmp_path: Path) -> None:
    partial = scored(tmp_path, "Theresa  May\tx\tPER\t1\n", "Boris  Johnson\tx\tPER\t1\n")["relaxed_partial"]
    assert partial["PER"] == of(1, 1)  # both have an empty word between two spaces


def grams(form: str) -> set[str]:
    """The definition of the task: the form, and all shorter runs of its words."""
    words = form.split(" ")
    return {form, *(" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1))}


forms_of_words = st.sets(st.lists(st.sampled_from(["", *"abcd"]), min_size=1, max_size=4).map(" ".join), max_size=4)


@given(forms_of_words, forms_of_words)
def test_word_n_grams_meet_exactly_where_words_do(wanted: set[str], forms: set[str]) -> None:
    of_gold, of_system = set().union(*map(grams, wanted)), set().union(*map(grams, forms))
    assert bsnlp_counts.relaxed_partial(
        [Mention(form, "", "PER", form) for form in wanted], [Mention(form, "", "PER", "1") for form in forms]
    ) == MatchCounts(
        found=sum(bool(grams(form) & of_system) for form in wanted),
        gold=len(wanted),
        right=sum(bool(grams(form) & of_gold) for form in forms),
        system=len(forms),
    )


def test_normalization_counts_forms_that_are_not_their_own_lemma_and_the_last_lemma_wins(tmp_path: Path) -> None:
    gold = "Londynu\tLondyn\tLOC\t1\nUE\tue\tLOC\t2\nPragi\tPraha\tLOC\t3\nPragi\tPraga\tLOC\t3\nPragi\tpragi\tLOC\t3\n"
    system = "londynu\tLONDYN\tLOC\t1\nPragi\tPraha\tLOC\t3\nUE\tUnia\tLOC\t2\n"
    assert scored(tmp_path, gold, system)["normalization"]["LOC"] == of(1 / 3, 1 / 2)


def test_an_empty_lemma_is_a_lemma(tmp_path: Path) -> None:
    assert scored(tmp_path, "Londynu\t\tLOC\t1\n", "Londynu\t \tLOC\t1\n")["normalization"]["all"] == of(1, 1)


def test_averages_are_micro_over_documents_and_slices(tmp_path: Path) -> None:
    files = {
        "gold/brexit/pl/a": "1\nA\tx\tPER\t1\nB\tx\tLOC\t2\n",
        "gold/brexit/cs/b": "1\nC\tx\tPER\t1\nD\tx\tPER\t2\nE\tx\tPER\t3\n",
        "gold/asia/pl/c": "1\nA\tx\tPER\t1\n",
        "system/brexit/pl/a": "1\nA\tx\tPER\t1\n",
        "system/brexit/cs/b": "1\nC\tx\tPER\t1\nX\tx\tPER\t1\n",
        "system/asia/pl/c": "1\n",
    }
    write(tmp_path, files)
    scores = score_directories(tmp_path / "gold", tmp_path / "system")
    assert list(scores) == METRICS + LINKING
    assert scores["strict"] == {
        **dict.fromkeys(["all"], of(2 / 3, 2 / 6)),
        **dict.fromkeys(["PER"], of(2 / 3, 2 / 5)),
        **dict.fromkeys(["LOC", "pl/LOC", "brexit/LOC", "brexit/pl/LOC"], of(0, 0)),
        **dict.fromkeys(["pl"], of(1, 1 / 3)),
        **dict.fromkeys(["pl/PER"], of(1, 1 / 2)),
        **dict.fromkeys(["cs", "cs/PER", "brexit/cs", "brexit/cs/PER"], of(1 / 2, 1 / 3)),
        **dict.fromkeys(["brexit"], of(2 / 3, 2 / 5)),
        **dict.fromkeys(["brexit/PER"], of(2 / 3, 2 / 4)),
        **dict.fromkeys(["brexit/pl"], of(1, 1 / 2)),
        **dict.fromkeys(["brexit/pl/PER"], of(1, 1)),
        **dict.fromkeys(["asia", "asia/pl", "asia/PER", "asia/pl/PER"], of(0, 0)),
    }


def test_a_slice_without_anything_is_left_out_but_all_is_always_there(tmp_path: Path) -> None:
    scores = scored(tmp_path, "UE\tUE\tORG\t1\n", "")
    assert scores["normalization"] == {"all": of(0, 0)}
    assert set(scores["strict"]) == {"all", "ORG", "pl", "pl/ORG", "brexit", "brexit/ORG", "brexit/pl", "brexit/pl/ORG"}


# --- loading ------------------------------------------------------------------------------------------------------


def test_rows_are_trimmed_and_those_of_no_category_ignored(tmp_path: Path) -> None:
    gold = "\r\n \x1f Theresa May \tx\t per \t1\t\t\r\n\nUE\tORG\nUE\tUE\tGOD\t2\nUE\tUE\n"
    pair = pair_directories(*sides(tmp_path, {FILE: f"\n\n pl-1 \r\n{gold}"}, {FILE: "pl-1\n"})).pairs[0]
    assert pair.gold == (Mention("theresa may", "x", "PER", "1"),)


def test_an_entity_id_keeps_its_case_and_is_minus_one_where_missing(tmp_path: Path) -> None:
    rows = "A\tx\tPER\tPER-a\nB\tx\tPER\tPER-A\nC\tx\tPER\nD\tx\tPER\n"
    pair = pair_directories(*sides(tmp_path, {FILE: f"pl-1\n{rows}"}, {FILE: "pl-1\nC\tx\tPER\n"})).pairs[0]
    assert [mention.entity for mention in pair.gold] == ["PER-a", "PER-A", "-1", "-1"]
    # C and D are one entity, which is found
    assert score_directories(tmp_path / "gold", tmp_path / "system")["relaxed_exact"]["PER"] == of(1, 1 / 3)


def sides(root: Path, gold: dict[str, str | bytes], system: dict[str, str | bytes]) -> tuple[Path, Path]:
    (root / "system").mkdir()
    return write(root / "gold", gold), write(root / "system", system)


def test_documents_pair_by_id_within_a_topic_and_language(tmp_path: Path) -> None:
    gold = {"t/pl/x.out": "1\nA\tx\tPER\n", "t/pl/y.out": "2\nB\tx\tPER\n", "t/cs/x.out": "1\n", "u/pl/x.out": "1\n"}
    system = {"t/pl/y.txt": "1\nA\tx\tPER\n", "t/pl/z": "3\nC\tx\tPER\n", "t/pl/.hidden": b"\xff", "v/pl/x": "1\n"}
    found = pair_directories(*sides(tmp_path, gold, system))
    assert [(pair.topic, pair.language) for pair in found.pairs] == [("t", "pl")]
    assert found.skipped == ("t/cs/1", "t/pl/2", "u/pl/1")
    assert found.scores()["strict"]["all"] == of(1, 1)  # documents of one side only are skipped, also for recall


def test_a_file_with_only_its_id_counts(tmp_path: Path) -> None:
    gold = {"t/pl/x": "1\nA\tx\tPER\n", "t/pl/y": "2\nB\tx\tPER\n"}
    folders = sides(tmp_path, gold, {"t/pl/x": "1\nA\tx\tPER\n", "t/pl/y": "2\n"})
    assert score_directories(*folders)["strict"]["all"] == of(1, 1 / 2)


def test_a_byte_order_mark_belongs_to_the_id(tmp_path: Path) -> None:
    gold = {"t/pl/x": "\ufeff1\n", "t/pl/y": "2\n"}
    assert pair_directories(*sides(tmp_path, gold, {"t/pl/x": "1\n", "t/pl/y": "2\n"})).skipped == ("t/pl/\ufeff1",)


@pytest.mark.parametrize(
    ("gold", "system", "message"),
    [
        ({}, {FILE: "1\n"}, r"gold: no folders TOPIC/LANGUAGE in it"),
        ({FILE: "1\n"}, {}, r"system: no document of .*gold in it; files are expected as TOPIC/LANGUAGE/FILE"),
        ({FILE: "1\n"}, {FILE: "2\n"}, r"system: no document of .*gold in it"),
        ({FILE: "1\n"}, {FILE: " \n"}, r"one\.out: empty; its first line must be the id of a document"),
        ({FILE: "1\n"}, {FILE: "1\n", "brexit/pl/two": "1\n"}, r"two: annotates '1', and so does one\.out"),
        ({FILE: "1\n"}, {FILE: b"1\nPlze\xf2\tx\tLOC\n"}, r"one\.out:2: not UTF-8 \(byte 0xf2\)"),
        ({"PER/pl/x": "1\n"}, {"PER/pl/x": "1\n"}, r"gold: a topic or language is named like another slice, 'PER'"),
        ({"cs/cs/x": "1\n"}, {"cs/cs/x": "1\n"}, r"named like another slice, 'cs'; rename the folder"),
        ({"t/all/x": "1\n"}, {"t/all/x": "1\n"}, r"named like another slice, 'all'"),
    ],
)
def test_what_cannot_be_scored_is_said(
    tmp_path: Path, gold: dict[str, str | bytes], system: dict[str, str | bytes], message: str
) -> None:
    (tmp_path / "gold").mkdir()
    with pytest.raises(DataError, match=message):
        score_directories(*sides(tmp_path, gold, system))


def test_the_table_has_all_categories_and_languages(tmp_path: Path) -> None:
    gold = {"t/pl/x": "1\nA\tA\tPER\n", "t/und/y": "1\nB\tB\tLOC\n"}
    lines = table(pair_directories(*sides(tmp_path, gold, {"t/pl/x": "1\nA\tA\tPER\n", "t/und/y": "1\n"}))).splitlines()
    assert [line.split()[0] for line in lines[2:7]] == ["all", "PER", "LOC", "pl", "und"]
    assert lines[2].split()[1:] == [*["1.000", "0.500", "0.667"] * 3, *["0.000"] * 3]
    assert lines[3].split()[1:] == [*["1.000"] * 9, *["-"] * 3]
    assert len({len(line) for line in lines[:7]}) == 1
    assert "linking cross language" in lines[8]
    assert lines[-1] == "lemmas of mentions that both sides have: 1.000 right"


def test_lemma_accuracy_is_of_the_mentions_of_both_sides_and_ignores_case(tmp_path: Path) -> None:
    gold = {"t/pl/x": "1\nPragi\tPraga\tLOC\nUE\tUE\tORG\nMay\tMay\tPER\n", "t/cs/y": "2\nPrahy\tPraha\tLOC\n"}
    system = {"t/pl/x": "1\npragi\tPRAGA\tLOC\nUE\tUnia\tORG\nMay\tMay\tORG\n", "t/cs/y": "2\n"}
    accuracy = pair_directories(*sides(tmp_path, gold, system)).lemma_accuracy()
    both = {"all": 0.5, "pl": 0.5, "t": 0.5, "t/pl": 0.5}
    each = {f"{path}{label}": share for path in ("", "pl/", "t/", "t/pl/") for label, share in (("LOC", 1), ("ORG", 0))}
    assert accuracy == both | each


# --- the evaluator's own figures, and real files --------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected() -> dict[str, dict[str, dict[str, Scores]]]:
    """The output of the task's evaluator by system, metric and slice."""
    if not CASES.is_dir():
        pytest.skip(f"{CASES} is not here: the evaluator's figures are needed")
    return json.loads((CASES / "expected.json").read_text(encoding="utf-8"))


def test_all_909_slices_are_the_evaluators_to_five_decimals(
    expected: dict[str, dict[str, dict[str, Scores]]],
) -> None:
    compared = 0
    for system, metrics in expected.items():
        found = score_directories(CASES / "golden", CASES / "systems" / system)
        assert {metric: found[metric].keys() for metric in METRICS} == {
            metric: slices.keys() for metric, slices in metrics.items()
        }
        for metric, slices in metrics.items():
            for name, scores in slices.items():
                # half of the last decimal, and the error of single precision (the next test)
                assert found[metric][name] == pytest.approx(scores, abs=5.1e-6, rel=0), (system, metric, name)
                compared += 1
    assert compared == 909


def test_in_the_evaluators_single_precision_they_are_the_same_digits(
    expected: dict[str, dict[str, dict[str, Scores]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def single(counts: MatchCounts) -> Scores:
        precision = np.float32(counts.right) / np.float32(max(counts.system, 1))
        recall = np.float32(counts.found) / np.float32(max(counts.gold, 1))
        f1 = np.float32(2) * precision * recall / (precision + recall) if precision and recall else np.float32(0)
        exact = {"precision": precision, "recall": recall, "f1": f1}
        rounded = {name: Decimal(float(x)).quantize(Decimal("0.00001"), ROUND_HALF_UP) for name, x in exact.items()}
        return {name: float(x) for name, x in rounded.items()}

    monkeypatch.setattr(MatchCounts, "scores", single)
    for system, metrics in expected.items():
        found = score_directories(CASES / "golden", CASES / "systems" / system)
        assert {metric: found[metric] for metric in METRICS} == metrics


def test_1138_documents_take_less_than_two_seconds(tmp_path: Path) -> None:
    rows = "".join(f"Form{i} of {i % 7}\tform{i}\t{corpus.CATEGORIES[i % 5]}\t{i % 9}\n" for i in range(20))
    write(tmp_path, {f"brexit/{language}/{i}": f"{i}\n{rows}" for i in range(569) for language in ("cs", "pl")})
    times = []
    for _ in range(2):  # in the second round the files are in the cache of the operating system
        start = time.process_time()
        scores = score_directories(tmp_path, tmp_path)
        times.append(time.process_time() - start)
    assert scores["strict"]["all"] == of(1, 1)
    assert min(times) < 2.0, times


def test_the_sample_written_as_predictions_scores_one(tmp_path: Path) -> None:
    sample = ROOT / "data/sample"
    assert (
        write_predictions(tmp_path, (document for document, _ in corpus.read(sample, ReaderOptions(), ReaderLog())))
        == 224
    )
    scores = score_directories(sample / "annotated", tmp_path)
    assert scores["strict"]["all"] == scores["relaxed_exact"]["all"] == scores["relaxed_partial"]["all"] == of(1, 1)
