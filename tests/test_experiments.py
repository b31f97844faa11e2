"""Named experiments: their params, and the two runs of the paper with a small encoder."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from experiments import ablation
from experiments import params as experiments
from experiments.assignments import parse_assignment, split_assignment
from ner_head.base.errors import UsageError
from ner_head.base.params import read_params
from ner_head.corpus.records import read_documents
from ner_head.head.model import build_head
from ner_head.head.params import HeadParams
from ner_head.inference.saved_model import ModelManifest
from ner_head.training.params import TrainingParams
from stages import baseline, evaluate, extract, lemmatize, link, prepare, submit, train
from tests.conftest import ROOT

PAPER, BLIND = (ROOT / "experiments" / f"{name}.yaml" for name in ("paper", "paper-blind"))


def write_params(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["params", *map(str, arguments)])
    experiments.main()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml, where stages run."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_papers_file_is_the_papers_head_and_recipe(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_params(monkeypatch, PAPER)
    head = read_params(Path("params.yaml"), "head", HeadParams)
    assert head.words.width == 0
    assert head.model_copy(update={"words": HeadParams.paper().words}) == HeadParams.paper()
    training = read_params(Path("params.yaml"), "training", TrainingParams)
    assert (training.epochs, training.stop_after, training.batch_size) == (150, 80, 16)
    assert (training.learning_rate, training.betas, training.clip) == (1e-4, (0.8, 0.9), 1.0)
    assert training.rate(0, 1000) == pytest.approx(1e-6)
    assert training.rate(99, 1000) == pytest.approx(1e-4)
    assert training.rate(550, 1000) == pytest.approx(5e-5)


def test_values_are_changed_and_all_else_stays(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Path("params.yaml").read_text(encoding="utf-8")
    write_params(monkeypatch)
    assert Path("params.yaml").read_text(encoding="utf-8") == before
    write_params(monkeypatch, PAPER, "head.layers=1-4", "prepare.splits.test=[a]")
    after = Path("params.yaml").read_text(encoding="utf-8")
    assert "layers: 1-4                # of the encoder" in after
    assert "seed: 0\n" in after
    assert YAML(typ="safe").load(after)["prepare"]["splits"] == {
        "train": ["brexit"],
        "dev": ["asia_bibi"],
        "test": ["a"],
    }


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("head.unit=3", "head.unit: no such key in params.yaml"),
        ("heads.lstm=3", "heads: no such key in params.yaml"),
        ("nowhere.yaml", "nowhere.yaml: No such file or directory"),
        ("head..unit=3", "head..unit=3: expected section.name=value"),
        ("head.dropout=[", r"head.dropout=\[: not valid YAML: .*"),
    ],
)
def test_a_mistake_is_one_line(project: Path, monkeypatch: pytest.MonkeyPatch, argument: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        write_params(monkeypatch, argument)


def test_an_assignment_is_a_dotted_name_and_a_value_in_yaml() -> None:
    assert parse_assignment("a.b=[1, x=y]") == {"a": {"b": [1, "x=y"]}}
    assert parse_assignment("a=1e-3") == {"a": 0.001}
    assert split_assignment("a.b=c=d") == ("a.b", "c=d")
    with pytest.raises(UsageError, match=r"^a\.b: expected section\.name=value$"):
        split_assignment("a.b")


def test_the_papers_two_runs(project: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on one topic and select the epoch on another; then train on both and predict a topic without gold."""
    for topic, source in (("brexit", "railway"), ("asia_bibi", "satellite"), ("ryanair", "satellite")):
        for kind, suffix in (("raw", "txt"), ("annotated", "out")):
            for name in ("cs", "ru") if topic != "ryanair" or kind == "raw" else ():
                file = Path(kind, source, name, f"{source}_{name}_01.{suffix}")
                target = Path("corpus", kind, topic, name)
                target.mkdir(parents=True)
                shutil.copy(ROOT / "data/sample" / file, target)
    small = [
        "head.lstm.hidden=8",
        "head.projection=8",
        "head.classifier=8",
        "training.epochs=3",
        "training.stop_after=2",
        "lemmatize.epochs=1",
        "link.epochs=1",
    ]
    small += [
        "prepare.source=corpus",
        "prepare.format=bsnlp2019",
        "prepare.languages=[cs, ru]",
        "baseline.iterations=2",
    ]
    small += [f"encoder.model={tiny_encoder}", "runtime.progress=none", "runtime.device=cpu"]
    write_params(monkeypatch, PAPER, *small)
    for stage in (prepare, extract, train, baseline, evaluate):
        stage.main()
    manifest = ModelManifest.model_validate_json(Path("models/head/manifest.json").read_bytes())
    assert manifest.scheme == "iobx"
    assert len(manifest.tag_set) == 4 + 2 * len(manifest.labels)
    assert manifest.head.mix == "per_dimension"
    assert set(json.loads(Path("reports/metrics.json").read_text())) >= {"f1", "task_f1", "language", "ece"}
    report = json.loads(Path("reports/training.json").read_text())
    assert report["epochs"] == 2  # of three for which the rate is scheduled

    shutil.rmtree("reports")  # as DVC does before a stage runs
    write_params(monkeypatch, PAPER, BLIND, *small, "prepare.splits.test=[ryanair]")
    for stage in (prepare, extract, train, baseline, evaluate, lemmatize, link, submit):
        stage.main()
    last = ModelManifest.model_validate_json(Path("models/head/manifest.json").read_bytes())
    assert last.training.epoch == 2
    predicted = list(read_documents(Path("reports/predictions/test.jsonl")))
    assert [(d.topic, d.language) for d in predicted] == [("ryanair", "cs"), ("ryanair", "ru")]
    assert {path.parts[-3:-1] for path in Path("reports/bsnlp").rglob("*.out")} == {
        ("ryanair", "cs"),
        ("ryanair", "ru"),
    }


def test_every_variant_of_the_ablation_is_a_head(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    heads = []
    for changes in ablation.VARIANTS.values():
        Path("params.yaml").write_text(text, encoding="utf-8")
        write_params(monkeypatch, *changes)
        params = read_params(Path("params.yaml"), "head", HeadParams)
        heads.append(params)
        build_head(params, n_layers=12, width=24, tag_set=params.tag_set(["LOC"]), languages=["cs", "pl"])
    assert len({head.model_dump_json() for head in heads}) == len(heads)


def test_pieces_through_the_encoder_are_counted_in_the_log() -> None:
    assert ablation.encoded("Stage 'extract' didn't change, skipping\n") == 0
    log = "Running stage 'extract':\n12 shards, 12 to compute: 72,430 pieces\n2 shards, 1 to compute: 10 pieces\n"
    assert ablation.encoded(log) == 72_440


def test_the_seconds_of_an_epoch_are_read_from_the_log() -> None:
    log = "epoch 1/3: loss 15.292, dev F1 0.101, 6.3 s\nepoch 2/3: loss 3.478, 5.0 s\nepoch 3/3: loss 1.0, 5.9 s\nx\n"
    assert ablation.seconds_per_epoch(log) == 5.9
