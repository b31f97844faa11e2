"""The source distribution builds the same wheel as the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests.conftest import ROOT
from tests.test_installed_wheel import PIP, build

EPOCH = "315532800"  # as tools/build_wheel.sh
SOURCES = ("ner_head", "stages", ".dvc/plots")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "params.yaml", "dvc.yaml")


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_source_distribution_builds_the_wheel_of_the_repository(tmp_path: Path) -> None:
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=shutil.ignore_patterns("__pycache__", "bundled"))
    for name in (*FILES, "constraints.txt"):
        shutil.copyfile(ROOT / name, tmp_path / "tree" / name)
    variables = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    make = [sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", str(tmp_path)]
    subprocess.run(make, cwd=tmp_path / "tree", env=variables, check=True, capture_output=True)
    (archive,) = tmp_path.glob("ner_head-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    wheel = [*PIP, "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*wheel, str(source)], env=variables, check=True)
    (found,) = tmp_path.glob("ner_head-*.whl")
    expected = content(build(tmp_path / "expected"))
    assert content(found) == expected
    assert {"ner_head/stages/train.py", "ner_head/project/dvc.yaml", "ner_head/pages/assets/page.html"} <= set(expected)
