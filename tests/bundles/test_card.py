"""The model card says what the manifest and the reports of the model say, and nothing of another model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ner_head.bundles.bundle import make_bundle
from ner_head.cards.card import Description, figures_of, licence_of, listed
from ner_head.corpus.documents import Document
from ner_head.evaluation.figures import Figures, model_digest
from ner_head.evaluation.figures import figures as collect
from ner_head.evaluation.report import metrics
from tests.bundles.conftest import DESCRIBED
from tests.conftest import LABELS, ROOT


def figures(model: Path, documents: list[Document]) -> Figures:
    """Figures of the tiny model, whose scores on dev are perfect."""
    sure = [replace(d, spans=tuple(replace(s, probability=0.5) for s in d.spans)) for d in documents]
    scores = metrics(documents, sure)
    return collect(model_digest(model), {"train": documents, "dev": documents}, {"dev": scores}, {"dev": sure}, LABELS)


def project(model: Path, folder: Path, known: Figures) -> Path:
    """A project with a model and its reports; the encoder is where the manifest says."""
    (folder / "models/head").mkdir(parents=True)
    for file in model.iterdir():
        (folder / "models/head" / file.name).symlink_to(file)
    (folder / "reports").mkdir()
    known.write(folder / "reports/figures.json")
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


def test_the_figures_of_the_project_are_on_the_card_and_go_with_the_bundle(
    model: Path, documents: list[Document], tmp_path: Path
) -> None:
    make_bundle(project(model, tmp_path / "project", figures(model, documents)), tmp_path / "out", DESCRIBED)
    text = (tmp_path / "out/README.md").read_text()
    assert "| all | 12 | 1.000 | 1.000 | 1.000 |\n| LOC | 6 | 1.000 | 1.000 | 1.000 |" in text
    assert "| train | 6 | 12 | 54 | LOC 6, PER 6 | cs 2, pl 2, ru 2 | news |" in text
    assert "| 0.8 | 1.000 | 1.000 | – | – | 0.500 | 1.000 | 0.500 | 1.000 |\n| 0.9 | 0.000 | 0.000 |" in text
    assert "- It was trained on fewer than 50 examples of LOC and PER." in text
    make_bundle(tmp_path / "out", tmp_path / "again", Description("tiny", about=DESCRIBED.about))
    assert (tmp_path / "again/README.md").read_text() == text.replace('"out"', '"again"').replace(
        "--model out", "--model again"
    )


@pytest.mark.parametrize(("other", "message"), [(True, "is about another model than"), (False, "damaged: version")])
def test_figures_of_another_model_and_damaged_ones_are_left_out_and_told(
    model: Path, documents: list[Document], tmp_path: Path, other: bool, message: str
) -> None:
    known = figures(model, documents).model_copy(update={"model": "0"} if other else {"version": 2})
    with pytest.warns(UserWarning, match=rf"not on the card: .*figures\.json: {message}.*; run `dvc repro evaluate`"):
        assert figures_of(project(model, tmp_path, known)) is None


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
