"""The library's wheel in an environment of its own: outside of the repository, without network, home or write access.

By default a wheel is built here, with the tiny model inside. `NER_HEAD_WHEEL` names another one, such as that of
`make wheel`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.offline import BLOCK, run

TEXT = "Jana Nováková přijela do Prahy."
MOST_BYTES = 100_000_000
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def build(output: Path, *model: Path) -> Path:
    """Build a wheel with the interpreter of these tests."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    subprocess.run([ROOT / "tools/build_wheel.sh", output, *model], env=variables, check=True)
    (wheel,) = output.glob("ner_head-*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("NER_HEAD_WHEEL")
    return Path(given) if given else build(tmp_path_factory.mktemp("dist"), model)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel without a model."""
    return build(tmp_path_factory.mktemp("plain"))


def environment(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel, and with the libraries of this one; nothing in it may be written."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin/python"
    install = ["--python", str(python), "install", "--quiet", "--no-index", "--no-deps", "--no-compile", str(wheel)]
    subprocess.run([*PIP, *install], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")  # its own .pth files are not read
    (site / "block.pth").write_text("import block_network\n")
    (site / "block_network.py").write_text(BLOCK)
    (folder / "empty").mkdir()
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o555)
    return folder


def removable(folder: Path) -> None:
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())):
        path.chmod(0o755)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = environment(wheel, tmp_path_factory.mktemp("installed") / "env")
    yield folder
    removable(folder)


@pytest.fixture(scope="module")
def bare(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = environment(plain, tmp_path_factory.mktemp("bare") / "env")
    yield folder
    removable(folder)


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of temporary files, which keeps the compiled kernels from one test to the next."""
    folder = tmp_path_factory.mktemp("temporary")
    kernels_in(folder).mkdir(mode=0o700)  # NUMBA_CACHE_DIR can name it too, in a test that comes first
    return folder


def kernels_in(temporary: Path) -> Path:
    """The private folder of compiled kernels in a folder of temporary files."""
    return temporary / f"ner-head-kernels-{os.getuid()}"


def ner_head(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in an empty folder that cannot be written."""
    return run([folder / "bin/ner-head", *arguments], cwd=folder / "empty", environment=variables)


def test_the_wheel_is_small_and_has_a_card(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        card = content.read("ner_head/bundled/README.md").decode()
    assert len(names) == len(set(names))
    assert "## What it is not good for\n\n- Real work." in card
    assert {name.split("/")[0] for name in names} == {"ner_head", next(n for n in names if "RECORD" in n).split("/")[0]}


@pytest.mark.parametrize("home", [None, "absent"])
def test_it_predicts_in_an_empty_folder_without_home_or_network(
    installed: Path, temporary: Path, tmp_path: Path, home: str | None
) -> None:
    # without HOME the home directory is that of the user database, which tests do not write to
    variables = {"NUMBA_CACHE_DIR": str(kernels_in(temporary)), "TMPDIR": str(tmp_path)}
    if home is not None:
        variables = {"HOME": str(installed / "empty" / home), "TMPDIR": str(temporary)}
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")  # a prediction of `--text` compiles nothing
    done = ner_head(installed, "predict", str(tmp_path / "text.txt"), **variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("ner-head: no model is given, so the demonstration model of ner-head is used: ")
    assert done.stderr.endswith("not for real work\n")
    assert len(done.stderr.splitlines()) == 1
    assert ["Jana Nováková", "PER"] in [[s["text"], s["label"]] for s in json.loads(done.stdout)["spans"]]
    assert list((installed / "empty").iterdir()) == []
    assert not kernels_in(tmp_path).exists()
    assert list(kernels_in(temporary).rglob("*.nbc"))


def test_the_api_has_the_same_default_and_warns(installed: Path, temporary: Path) -> None:
    code = f"import ner_head; print(len(ner_head.Recognizer.load(device='cpu').recognize([{TEXT!r}])[0].spans))"
    command = [installed / "bin/python", "-c", code]
    done = run(command, cwd=installed / "empty", environment={"NUMBA_CACHE_DIR": str(kernels_in(temporary))})
    assert int(done.stdout) >= 1
    assert "UserWarning: no model is given, so the demonstration model of ner-head is used: " in done.stderr


def test_a_model_of_the_project_comes_first(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "models/head").mkdir(parents=True)
    done = run([installed / "bin/ner-head", "predict", "--text", TEXT], cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("ner-head: models/head/manifest.json: No such file or directory; train one with ")


def test_without_a_model_one_line_says_how_to_get_one(bare: Path) -> None:
    done = ner_head(bare, "predict", "--text", TEXT)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "ner-head: no model: there is no models/head here, and this installation has no model inside; give a folder or "
        "the name of an installed model (installed: none), or train one with `dvc repro`\n"
    )
    assert ner_head(bare, "--version").stdout.startswith("ner-head ")


def test_the_source_tree_stays_as_it_is(wheel: Path) -> None:
    assert not (ROOT / "ner_head/bundled").exists()
    assert not (ROOT / "build").exists()
