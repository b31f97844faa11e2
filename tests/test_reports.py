"""What the stages write for people to read: each table, page and report says what the predictions say."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from experiments import params as experiments
from ner_head.evaluation.bsnlp import score_directories
from ner_head.evaluation.nbest_files import read_nbest
from stages import baseline, error_page, evaluate, extract, lemmatize, link, plots_page, prepare, submit, train
from tests import small_corpus
from tests.conftest import ROOT

EPOCHS = 30


@pytest.fixture(scope="module")
def reports(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of all stages on a small corpus, of which the head knows the dev documents but for one mention."""
    folder = tmp_path_factory.mktemp("project")
    small_corpus.write(folder / "corpus")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    wanted = {**small_corpus.params("corpus", tiny_encoder), "training.epochs": EPOCHS, "head.lstm.hidden": 16}
    changes = [f"{name}={json.dumps(value)}" for name, value in wanted.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["params", *changes])
        experiments.main()
        for stage in (prepare, extract, train, baseline, evaluate, lemmatize, link, submit, error_page, plots_page):
            stage.main()
    return folder / "reports"


def table(reports: Path, name: str) -> list[dict[str, str]]:
    with (reports / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def content(reports: Path, name: str) -> Any:
    return json.loads((reports / f"{name}.json").read_text(encoding="utf-8"))


def spans(path: Path) -> list[dict[tuple[int, int], str]]:
    """The labels of the spans of each document, by place."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line:
            found.append({(start, end): label for start, end, label, *_ in json.loads(line)["spans"]})
    return found


@pytest.fixture(scope="module")
def gold(reports: Path) -> list[dict[tuple[int, int], str]]:
    return spans(reports.parent / "data/prepared/dev.jsonl")


@pytest.fixture(scope="module")
def found(reports: Path) -> list[dict[tuple[int, int], str]]:
    return spans(reports / "predictions/dev.jsonl")


@pytest.fixture(scope="module")
def scores(gold: list[dict[tuple[int, int], str]], found: list[dict[tuple[int, int], str]]) -> dict[str, float]:
    """The scores, counted once more from the files."""
    right = sum(len(a.items() & b.items()) for a, b in zip(gold, found, strict=True))
    n_gold, n_found = sum(map(len, gold)), sum(map(len, found))
    assert 0 < right < n_gold
    return {
        "right": right,
        "gold": n_gold,
        "found": n_found,
        "precision": right / n_found,
        "recall": right / n_gold,
        "f1": 2 * right / (n_gold + n_found),
    }


def test_the_report_of_the_corpus_counts_its_documents_and_mentions(reports: Path) -> None:
    report = content(reports, "prepare")
    n_mentions = 3 * 4 + 6
    assert report["documents"]["read"] == 6 + 3
    assert (report["mentions"]["read"], report["mentions"]["kept"]) == (n_mentions, n_mentions)
    assert report["list"] == []


def test_the_curve_and_the_record_of_training_agree(reports: Path) -> None:
    curve, record = table(reports, "learning_curve"), content(reports, "training")
    assert [row["epoch"] for row in curve] == [str(number) for number in range(1, EPOCHS + 1)]
    assert float(curve[-1]["loss"]) < float(curve[0]["loss"])
    best = curve[record["best_epoch"] - 1]
    assert float(best["dev_f1"]) == pytest.approx(record["dev_f1"], abs=1e-6)
    assert float(best["dev_f1"]) == max(float(row["dev_f1"]) for row in curve)
    weights = load_file(reports.parent / "models/head/model.safetensors")
    assert record["parameters"] == sum(tensor.size for tensor in weights.values())
    assert record["epochs"] == EPOCHS


def test_the_weights_of_the_layers_sum_to_one(reports: Path) -> None:
    rows = table(reports, "layer_weights")
    assert [row["layer"] for row in rows] == ["01", "02", "03"]
    assert sum(float(row["weight"]) for row in rows) == pytest.approx(1, abs=1e-5)


def test_the_scores_are_those_of_the_predictions(reports: Path, scores: dict[str, float]) -> None:
    metrics, strict = content(reports, "metrics"), content(reports, "details")["strict"]["micro"]
    assert set(metrics) == {"f1", "precision", "recall", "macro_f1", "task_f1", "language", "ece", "gain"}
    record = content(reports, "training")
    assert scores["f1"] == pytest.approx(record["dev_f1"], abs=1e-6)
    for name in ("precision", "recall", "f1"):
        assert strict[name] == pytest.approx(scores[name])
        assert metrics[name] == pytest.approx(scores[name], abs=5e-5)
    results = (reports / "results.md").read_text(encoding="utf-8")
    (row,) = [line for line in results.splitlines() if line.startswith("| **all (micro)** |")]
    cells = [cell.split()[0] for cell in row.split("|")[2:6]]  # of F1 without its interval
    assert cells == [str(scores["gold"]), *(f"{scores[name]:.3f}" for name in ("precision", "recall", "f1"))]
    card = (reports / "model_card.md").read_text(encoding="utf-8")
    assert f"| all | {scores['gold']} | {scores['precision']:.3f} | {scores['recall']:.3f} | {scores['f1']:.3f}" in card
    assert "| labels | LOC, PER |" in card
    assert "| dev | 3 | " in card


def test_the_baseline_is_scored_in_the_same_way(reports: Path, gold: list[dict[tuple[int, int], str]]) -> None:
    theirs = spans(reports / "baseline/predictions/dev.jsonl")
    right = sum(len(a.items() & b.items()) for a, b in zip(gold, theirs, strict=True))
    f1 = 2 * right / (sum(map(len, gold)) + sum(map(len, theirs)))
    assert content(reports / "baseline", "details")["strict"]["micro"]["f1"] == pytest.approx(f1)
    assert content(reports / "baseline", "metrics")["f1"] == pytest.approx(f1, abs=5e-5)
    gain = content(reports, "details")["gain"]["f1"]
    assert gain == pytest.approx(content(reports, "details")["strict"]["micro"]["f1"] - f1)


def test_the_table_of_confused_types_has_a_row_a_span(
    reports: Path, gold: list[dict[tuple[int, int], str]], found: list[dict[tuple[int, int], str]]
) -> None:
    wanted = Counter[tuple[str, str]]()
    for a, b in zip(gold, found, strict=True):
        wanted.update((a.get(place, "(spurious)"), b.get(place, "(missed)")) for place in a.keys() | b.keys())
    assert Counter((row["gold"], row["predicted"]) for row in table(reports, "confusion")) == wanted
    assert wanted["LOC", "(missed)"] == 1


def test_the_oracle_begins_at_the_score_and_rises(reports: Path, scores: dict[str, float]) -> None:
    rows = table(reports, "oracle")
    assert [int(row["n"]) for row in rows] == list(range(1, 12))
    found = [float(row["f1"]) for row in rows]
    assert found[0] == pytest.approx(scores["f1"], abs=1e-6)
    assert found == sorted(found)


def test_the_tables_of_reliability_count_every_span_and_every_sentence(reports: Path, scores: dict[str, float]) -> None:
    n_sentences = sum(len(json.loads(line)["sentences"]) for line in lines(reports.parent / "data/prepared/dev.jsonl"))
    for name, number in (("spans", scores["found"]), ("languages", n_sentences)):
        rows = table(reports, f"reliability_{name}")
        for when in ("without", "with"):
            bins = [row for row in rows if row["temperature"] == when]
            assert sum(int(row["count"]) for row in bins) == number
            assert all(0 <= float(row["probability"]) <= 1 for row in bins)
            if name == "spans":
                right = sum(float(row["right"]) * int(row["count"]) for row in bins)
                assert right == pytest.approx(scores["right"], abs=1e-4)


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line]


def test_the_table_of_thresholds_counts_the_spans_above_each(
    reports: Path, gold: list[dict[tuple[int, int], str]]
) -> None:
    rows = table(reports, "thresholds")
    assert rows
    likely = []
    for line, truth in zip(lines(reports / "predictions/dev.jsonl"), gold, strict=True):
        for start, end, label, probability, *_ in json.loads(line)["spans"]:
            likely.append((probability, truth.get((start, end)) == label))
    for row in rows:
        kept = [right for probability, right in likely if probability >= float(row["threshold"])]
        assert int(row["predicted"]) == len(kept)
        assert float(row["precision"]) == pytest.approx(sum(kept) / len(kept), abs=1e-6)
        assert float(row["recall"]) == pytest.approx(sum(kept) / sum(map(len, gold)), abs=1e-6)
        p, r = float(row["precision"]), float(row["recall"])
        assert float(row["f1"]) == pytest.approx(2 * p * r / (p + r) if p + r else 0, abs=1e-5)


def test_the_first_readings_are_the_predictions(reports: Path, found: list[dict[tuple[int, int], str]]) -> None:
    sentences = list(read_nbest(reports / "nbest/dev.txt"))
    for sentence in sentences:
        assert list(sentence.probabilities) == sorted(sentence.probabilities, reverse=True)
        assert math.fsum(sentence.probabilities) <= 1 + 1e-6
    begun = Counter(tag[2:] for sentence in sentences for tag in sentence.tags[0] if tag.startswith("B-"))
    assert begun == Counter(label for document in found for label in document.values())


def test_the_files_of_the_shared_task_have_the_named_mentions(reports: Path) -> None:
    names = set()
    for line in lines(reports / "named/dev.jsonl"):
        record = json.loads(line)
        (path,) = (reports / "bsnlp").rglob(f"{record['id']}.out")
        named = {(record["text"][s[0] : s[1]], s[-1]["lemma"], s[2], s[-1]["entity"]) for s in record["spans"]}
        first, *rows = lines(path)
        assert first == record["id"]
        assert {tuple(row.split("\t")) for row in rows} == named
        names |= {entity for *_, entity in named}
    rows = table(reports, "links")
    assert {row["entity"] for row in rows} == names
    assert {(row["split"], row["topic"]) for row in rows} == {("dev", "dev")}
    assert all(0 <= float(row["certainty"]) <= 1 for row in rows)


def test_the_scores_of_lemmas_and_links_are_those_of_the_files(reports: Path, tmp_path: Path) -> None:
    task, few = content(reports, "task")["dev"]["predicted_mentions"], content(reports, "task_metrics")
    for line in lines(reports.parent / "data/prepared/dev.jsonl"):
        record = json.loads(line)
        path = tmp_path / "dev" / record["language"] / f"{record['id']}.out"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = {(record["text"][s[0] : s[1]], s[-1]["lemma"], s[2], s[-1]["entity"]) for s in record["spans"]}
        path.write_text("\n".join([record["id"], *map("\t".join, sorted(rows))]) + "\n", encoding="utf-8")
    scored = score_directories(tmp_path, reports / "bsnlp")
    assert scored["strict"]["all"] == content(reports, "details")["bsnlp_strict"]["all"]
    for metric in ("normalization", "linking_document", "linking_language", "linking_cross_language"):
        assert task["metrics"][metric]["f1"] == pytest.approx(scored[metric]["all"]["f1"])
    assert few["normalization"] == task["metrics"]["normalization"]["f1"]
    assert few["link_cross"] == task["metrics"]["linking_cross_language"]["f1"]
    assert few["lemmas"] == task["lemma_accuracy"]


def test_the_pages_show_the_errors_and_the_plots(reports: Path, scores: dict[str, float]) -> None:
    page = (reports / "errors.html").read_text(encoding="utf-8")
    assert f"dev: 3 documents, {scores['gold']} gold spans, strict F1 {scores['f1']:.3f}" in page
    assert page.count('["missed","LOC"') == 1
    plots = (reports / "plots.html").read_text(encoding="utf-8")
    titles = ["Learning curve", "Weight of each encoder layer", "Gold against predicted types", "Precision against"]
    assert [title for title in [*titles, "Are predicted spans as often right"] if title not in plots] == []
    assert ">(missed)</text>" in plots


def test_the_figures_of_the_model_count_its_data(reports: Path, scores: dict[str, float]) -> None:
    figures = content(reports, "figures")
    assert (figures["data"]["train"]["documents"], figures["data"]["dev"]["documents"]) == (6, 3)
    assert figures["orders"]["dev"][0]["all"]["precision"] == pytest.approx(scores["precision"])
    assert set(figures["thresholds"]) == {"LOC", "PER"}
