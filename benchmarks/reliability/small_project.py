"""A small project: the pipeline, eight short documents, and a tiny random encoder. `dvc repro` takes about a minute."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from tests import tiny_encoders

ROOT = Path(__file__).parents[2]
ENCODER = "encoders/multilingual-e5-small"  # as in params.yaml
CHANGES = {
    "prepare": {"languages": ["cs", "ru"]},
    "encoder": {"shard_words": 100},  # several shards
    "training": {"epochs": 8, "learning_rate": 1e-2},  # predicts something
    "runtime": {"progress": "none", "threads": 1},
}
OF_THE_MACHINE = {".git", "__pycache__", ".dvc/tmp"}  # folders that may differ between two runs


def make(folder: Path) -> Path:
    """Make the project, as a git repository."""
    for name in ("ner_head", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    tiny_encoders.save("bert", folder / ENCODER)
    for kind, suffix in (("raw", "txt"), ("annotated", "out")):
        for topic in ("railway", "satellite"):
            for language in ("cs", "ru"):
                for number in ("01", "02"):
                    path = Path("data/sample", kind, topic, language, f"{topic}_{language}_{number}.{suffix}")
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / path, folder / path)
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, changes in CHANGES.items():
        params[section].update(changes)
    with (folder / "params.yaml").open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True, env=environment())
    shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    return folder


def environment(**changes: str) -> dict[str, str]:
    """Variables for a command of this interpreter's environment, one thread each."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": "", "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1", **changes}


def copy(project: Path, folder: Path) -> Path:
    """A copy of a project in a new folder; modification times are kept, hard links among its files too."""
    subprocess.run(["cp", "-a", str(project), str(folder)], check=True)
    return folder


def repro(project: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `dvc repro`."""
    command = ["dvc", "repro", *arguments]
    return subprocess.run(
        command, cwd=project, capture_output=True, text=True, errors="replace", env=env or environment(), check=False
    )


def stages_run(output: str) -> list[str]:
    """The stages that ran, in their order."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def tree(project: Path) -> dict[str, str]:
    """SHA-256 of each file: sources, outputs, DVC's cache, the pool, checkpoints, dvc.lock; not `OF_THE_MACHINE`."""
    found = {}
    for folder, folders, files in os.walk(project):
        here = Path(folder).relative_to(project)
        folders[:] = [name for name in folders if not {name, str(here / name)} & OF_THE_MACHINE]
        for name in files:
            content = (project / here / name).read_bytes()
            found[str(here / name)] = hashlib.sha256(content).hexdigest()
    return found


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """One line for each file that is lacking, additional or different."""
    names = sorted(found.keys() | expected.keys())
    kinds = {(False, True): "lacking", (True, False): "additional", (True, True): "different"}
    return [
        f"{kinds[name in found, name in expected]}: {name}" for name in names if found.get(name) != expected.get(name)
    ]
