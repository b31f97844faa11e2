"""The model card says what the manifest and the reports of the model say, and nothing of another model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ner_head.bundles.bundle import make_bundle
from ner_head.bundles.card import Description, licence_of, listed, read_scores
from ner_head.inference.saved_model import ModelManifest
from tests.bundles.conftest import DESCRIBED
from tests.conftest import ROOT


def spans(f1: float) -> dict[str, float]:
    return {"precision": 0.25, "recall": 0.75, "f1": f1, "gold": 8, "predicted": 9}


def metrics(f1: float) -> str:
    strict = {"micro": spans(f1), "per_type": {"PER": spans(0.5)}, "per_language": {"cs": spans(0.625)}}
    return json.dumps({"strict": strict, "calibration": {"spans": {"ece": 0.0125}}, "word": {"macro_f1": 1}})


def project(model: Path, folder: Path, reports: str) -> Path:
    """A project with a model and its reports; the encoder is where the manifest says."""
    (folder / "models/head").mkdir(parents=True)
    for file in model.iterdir():
        (folder / "models/head" / file.name).symlink_to(file)
    (folder / "reports").mkdir()
    (folder / "reports/metrics.json").write_text(reports)
    return folder / "models/head"


def test_the_card_has_what_the_model_says_of_itself(bundle: Path, tiny_encoder: Path) -> None:
    text = (bundle / "README.md").read_text()
    assert text.startswith("# tiny\n\nsix documents by heart\n\n## What it is good for\n\nTests.\n\n| | |\n")
    assert "| labels | LOC, PER |\n| languages | cs, pl, ru |\n| head | one head (seed 0, epoch 40) |" in text
    name = tiny_encoder.name
    assert f"| encoder | [{name}](encoder/{name}), 3 layers of 16; frozen |" in text
    assert "| licence of the encoder | not stated in its folder |\n| probabilities | not calibrated |" in text
    assert "Strict micro F1 on its dev documents: 1.000." in text
    assert 'Recognizer.load("tiny")' in text
    assert "It was trained on texts in cs, pl and ru." in text


def test_the_scores_of_the_project_are_on_the_card_and_go_with_the_bundle(model: Path, tmp_path: Path) -> None:
    make_bundle(project(model, tmp_path / "project", metrics(1.0)), tmp_path / "out", DESCRIBED)
    text = (tmp_path / "out/README.md").read_text()
    assert "| all | 8 | 0.250 | 0.750 | 1.000 |\n| PER | 8 | 0.250 | 0.750 | 0.500 |\n| cs | 8 |" in text
    assert "calibration error of the probabilities of spans: 0.013." in text or "spans: 0.012." in text
    make_bundle(tmp_path / "out", tmp_path / "again", Description("tiny", about=DESCRIBED.about))
    assert (tmp_path / "again/README.md").read_text() == text.replace('"out"', '"again"').replace(
        "--model out", "--model again"
    )


@pytest.mark.parametrize(
    ("content", "message"), [(metrics(0.5), r"is of another model \(dev F1 0.5000\)"), ("{}", "Field required")]
)
def test_scores_of_another_model_are_left_out_and_told(model: Path, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.warns(UserWarning, match=rf"metrics\.json: not on the card.*{message}"):
        assert read_scores(path, ModelManifest.read(model)) is None


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        ("---\nlanguage: cs\nlicense: apache-2.0\n---\n", "apache-2.0"),
        ("| licence | MIT, of the model |\n", "MIT, of the model"),
        ("The licence of this model is long.\n", ""),
        (None, ""),
    ],
)
def test_the_licence_of_the_encoder_is_read_from_its_readme(readme: str | None, licence: str, tmp_path: Path) -> None:
    if readme is not None:
        (tmp_path / "README.md").write_text(readme)
    assert licence_of(tmp_path) == licence


def test_the_licence_of_the_bundled_encoder_is_known() -> None:
    assert licence_of(ROOT / "encoders/multilingual-e5-small").startswith("MIT")


def test_names_are_listed() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "unknown languages",
        "a",
        "a and b",
        "a, b and c",
    ]
