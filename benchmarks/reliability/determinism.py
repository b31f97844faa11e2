"""The whole pipeline under other hash seeds, locales, time zones, file modes, folders, threads: the same bytes?

python -m benchmarks.reliability.determinism FOLDER [--project PROJECT] [--only NUMBER ...]

PROJECT is a small project after `dvc repro` (made if absent), which started a process for each stage. Here one process
runs all stages, so that a variation takes ten seconds. Every file of data, models and reports is compared.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.reliability.faults import OUTPUTS, compare, pipeline, sources
from benchmarks.reliability.small_project import ROOT, environment, make, repro
from benchmarks.report import write_results

LOCALES = {"tr_TR.UTF-8": ("tr_TR", "UTF-8"), "ru_RU.KOI8-R": ("ru_RU", "KOI8-R")}
ALL = """
import sys, importlib, stages
for stage in sys.argv[1:]:
    stages.run(importlib.import_module(f"stages.{stage}").main)
"""


@dataclass(frozen=True)
class Variation:
    """What differs from the project that is compared with."""

    env: dict[str, str] = field(default_factory=dict)
    umask: int = 0o022
    runtime: dict[str, object] = field(default_factory=dict)
    folder: str = "project"


VARIATIONS = {
    "nothing": Variation(),
    "LC_ALL=ru_RU.KOI8-R, PYTHONUTF8=0, PYTHONHASHSEED=1, a folder with spaces and Cyrillic letters": Variation(
        {"LC_ALL": "ru_RU.KOI8-R", "PYTHONUTF8": "0", "PYTHONHASHSEED": "1"}, folder="проект с пробелом"
    ),
    "LC_ALL=tr_TR.UTF-8, PYTHONHASHSEED=4294967295, TZ=Pacific/Kiritimati, umask 077": Variation(
        {"LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4294967295", "TZ": "Pacific/Kiritimati"}, umask=0o077
    ),
    "LC_ALL=C, PYTHONUTF8=0, TZ=Asia/Kolkata, umask 000": Variation(
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Kolkata"}, umask=0
    ),
    "runtime.threads: 2": Variation({"OMP_NUM_THREADS": "2"}, runtime={"threads": 2}),
    "runtime.workers: 2": Variation(runtime={"workers": 2}),
    "runtime.preload: ram": Variation(runtime={"preload": "ram"}),
    "runtime.batch_pieces: 64": Variation(runtime={"batch_pieces": 64}),
}


def make_locales(folder: Path, *names: str) -> set[str]:
    """Compile locales into a folder for LOCPATH; returns those that the system has sources for."""
    folder.mkdir(parents=True, exist_ok=True)
    made = set()
    for name in names:
        language, charmap = LOCALES[name]
        command = ["localedef", "-i", language, "-f", charmap, str(folder / name)]
        if shutil.which("localedef"):
            subprocess.run(command, capture_output=True, check=False)
        if (folder / name).is_dir():
            made.add(name)
    return made


def run(source: Path, folder: Path, variation: Variation, locales: Path) -> list[str]:
    """Run all stages in a copy of a project without its outputs; the differences of the outputs."""
    project = folder / variation.folder
    shutil.rmtree(project, ignore_errors=True)
    sources(source, project)
    for name in ("data/prepared", "data/features", "data/pool", "models", "reports"):
        shutil.rmtree(project / name)
    yaml, path = YAML(), project / "params.yaml"
    params = yaml.load(path.read_text(encoding="utf-8"))
    params["runtime"].update(variation.runtime)
    with path.open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    done = subprocess.run(
        [sys.executable, "-c", ALL, *pipeline()],
        cwd=project,
        env=environment(PYTHONPATH=str(ROOT), LOCPATH=str(locales), **variation.env),
        capture_output=True,
        umask=variation.umask,
        check=False,
    )
    if done.returncode:
        return [f"exit {done.returncode}: {done.stderr.decode(errors='replace')[-1500:]}"]
    found = compare(project, source)
    shutil.rmtree(project)
    return found


def main() -> None:
    """Print what differs for each variation; exit code 1 if a variation failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--project", type=Path)
    parser.add_argument("--only", nargs="*", type=int, default=range(len(VARIATIONS)), help="numbers of variations")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if (source := options.project) is None:
        source = make(options.folder / "source")
        repro(source).check_returncode()
    locales = (options.folder / "locales").resolve()
    made = make_locales(locales, *LOCALES)
    results: dict[str, object] = {}
    for name in [list(VARIATIONS)[number] for number in options.only]:
        wanted = VARIATIONS[name].env.get("LC_ALL", "C")
        if wanted != "C" and wanted not in made:
            results[name] = "skipped: localedef has no sources of this locale"
        else:
            results[name] = run(source, options.folder, VARIATIONS[name], locales) or "identical"
        print(f"{name}: {results[name]}", flush=True)
    write_results("determinism", {"compared": list(OUTPUTS), "variations": results}, ("torch", "h5py"))
    sys.exit(any(str(result).startswith("['exit") for result in results.values()))


if __name__ == "__main__":
    main()
