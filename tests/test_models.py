"""Where a model is looked for, and which one is the default."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ner_head import models
from ner_head.base.errors import DataError
from ner_head.models import check_bundle, default_model, demonstration, find_model
from ner_head.recognizer import Recognizer
from tests.bundles import conftest

bundle = conftest.bundle


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and an installation without a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "installed")
    monkeypatch.setattr(models, "entry_points", lambda group: [])
    return tmp_path


def test_a_folder_is_found_as_it_is_named(model: Path, here: Path) -> None:
    (here / "link").symlink_to(model)
    assert [find_model(name) for name in ("link", Path("link"), str(model))] == [Path("link"), Path("link"), model]


@pytest.mark.parametrize("name", ["absent", Path("absent"), "~/absent"])
def test_an_absent_model_is_one_line(here: Path, name: str | Path) -> None:
    with pytest.raises(
        DataError, match=r"absent/manifest\.json: No such file or directory; train one with `dvc repro`$"
    ):
        find_model(name)


def test_the_model_of_the_project_comes_before_the_one_inside(model: Path, here: Path) -> None:
    with pytest.raises(DataError, match=r"no model: there is no models/head here, .*\(installed: none\), or train one"):
        default_model()
    shutil.copytree(model, here / "installed")
    assert default_model() == here / "installed"
    shutil.copytree(model, here / "models/head")
    assert default_model() == Path("models/head")


def test_only_the_model_inside_is_told_of(bundle: Path, here: Path) -> None:
    assert demonstration(bundle) == ""
    shutil.copytree(bundle, here / "installed")
    assert demonstration(default_model()) == "no model is given, so tiny is used: six documents by heart"
    with pytest.warns(UserWarning, match="no model is given, so tiny is used") as warned:
        assert Recognizer.load(device="cpu").recognize(["Jan."])
    assert warned[0].filename == __file__


def test_a_folder_in_the_place_of_a_file_is_named(bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundle, tmp_path / "copy"))
    check_bundle(folder)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    with pytest.raises(DataError, match=r"copy: damaged: model\.safetensors \(not a file\)"):
        check_bundle(folder)
