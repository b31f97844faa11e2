"""Wheels of bundles: valid, the same bytes for the same model, found by name once they are installed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from email import message_from_bytes
from pathlib import Path

import pytest

import ner_head
from ner_head.base.errors import DataError, UsageError
from ner_head.bundles.bundle import make_wheel
from ner_head.bundles.wheel import check_name, wheel_path
from ner_head.cards.card import Description
from ner_head.models import find_model, installed_models
from ner_head.recognizer import Recognizer
from tests.conftest import ROOT
from tests.offline import run_ner_head

TEXT = "Jana Nováková přijela do Prahy."
DESCRIBED = Description("my_ner", 'a "model" of \\ six documents', "Text of čeština.")


@pytest.fixture(scope="module")
def wheel(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(model, tmp_path_factory.mktemp("dist"), DESCRIBED, release="1.0.0")


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed by pip, without network."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    return folder


def test_the_wheel_is_named_and_described(wheel: Path) -> None:
    assert wheel.name == "my_ner-1.0.0-py3-none-any.whl"
    assert list(wheel.parent.iterdir()) == [wheel]
    with zipfile.ZipFile(wheel) as content:
        found = message_from_bytes(content.read("my_ner-1.0.0.dist-info/METADATA"))
        assert (found["Name"], found["Version"], found["Summary"]) == ("my_ner", "1.0.0", DESCRIBED.summary)
        assert found["Requires-Dist"] == f"ner-head>={ner_head.__version__}"
        assert found["Requires-Python"] == ">=3.11"
        card = content.read("my_ner/model/README.md")
        assert found.get_payload(decode=True) == card
        assert "Text of čeština." in card.decode()
        assert 'Recognizer.load("my_ner")' in card.decode()


def test_every_file_is_in_the_record_with_its_digest(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        rows = [row.split(",") for row in content.read("my_ner-1.0.0.dist-info/RECORD").decode().splitlines()]
        assert [row[0] for row in rows] == content.namelist()
        assert rows.pop() == ["my_ner-1.0.0.dist-info/RECORD", "", ""]
        for name, digest, size in rows:
            data = content.read(name)
            assert digest == "sha256=" + urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert int(size) == len(data)


def test_the_same_model_gives_the_same_bytes(wheel: Path, model: Path, tmp_path: Path) -> None:
    again = make_wheel(model, tmp_path / "new/folder", DESCRIBED, release="1.0.0")
    assert again.read_bytes() == wheel.read_bytes()


def test_an_installed_model_is_found_by_its_name(
    site: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)
    assert find_model("my_ner") == find_model("my-ner") == site / "my_ner/model"
    assert "my_ner" not in sys.modules
    expected = Recognizer.load(model, device="cpu").recognize([TEXT])
    assert Recognizer.load("my_ner", device="cpu").recognize([TEXT]) == expected
    with pytest.raises(DataError, match=r"my_na/manifest\.json: No such file.*, or give the name of .*\(.*my-ner.*\)"):
        find_model("my_na")
    (tmp_path / "my_ner").mkdir()  # a folder without a model
    assert find_model("my_ner") == site / "my_ner/model"
    (tmp_path / "my_ner/manifest.json").touch()
    assert find_model("my_ner") == Path("my_ner")
    monkeypatch.chdir(site)  # whose folder my_ner is the package
    assert find_model("my_ner") == site / "my_ner/model"
    (site / "my_ner").rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(DataError, match="my_ner: the package my_ner has no model in it; install it again"):
            find_model("my_ner")
    finally:
        (tmp_path / "elsewhere").rename(site / "my_ner")


def test_the_package_loads_its_model(site: Path) -> None:
    code = (
        "import my_ner; print(my_ner.__doc__); print(my_ner.path); "
        f"print([s.label for s in my_ner.load('cpu').recognize([{TEXT!r}])[0].spans])"
    )
    environment = {"PYTHONPATH": f"{site}:{ROOT}", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [DESCRIBED.summary, str(site / "my_ner/model"), "['PER', 'LOC']"]


def test_the_command_takes_the_name_without_network(site: Path, tmp_path: Path) -> None:
    arguments = ("predict", "--model", "my_ner", "--text", TEXT)
    done = run_ner_head(*arguments, cwd=tmp_path, root=f"{site}:{ROOT}")  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    assert [span["label"] for span in json.loads(done.stdout)["spans"]] == ["PER", "LOC"]


def test_no_model_is_installed_otherwise() -> None:
    assert "my-ner" not in installed_models()


@pytest.mark.parametrize("name", ["my-ner", "1ner", "class", "", "čeština", "json", "ner_head", "NER_Head"])
def test_a_name_that_cannot_be_a_package_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"--name {name}: .*, such as my_ner"):
        check_name(name)


def test_a_version_that_is_none_and_a_wheel_that_exists_are_refused(wheel: Path) -> None:
    with pytest.raises(UsageError, match=r"--version first: not a version of a Python package, such as 1\.0\.0"):
        wheel_path(wheel.parent, "my_ner", "first")
    with pytest.raises(UsageError, match=r"1\.0\.0-py3-none-any\.whl: exists already; remove it, or give another --v"):
        wheel_path(wheel.parent, "My_Ner", "1.0.0")
    assert wheel_path(wheel.parent, "my_ner", "1.1-rc1").name == "my_ner-1.1rc1-py3-none-any.whl"
