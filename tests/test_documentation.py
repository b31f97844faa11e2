"""The commands of README.md, the tutorial and the recipes run in the order in which they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments import params as experiments
from ner_head.cli import main as cli
from ner_head.corpus.documents import Document
from stages import baseline, error_page, evaluate, extract, plots_page, prepare, train
from tests.conftest import ROOT
from tests.test_absent_splits import project

STAGES = (prepare, extract, train, baseline, evaluate, error_page, plots_page)
PAGES = ("README.md", "docs/tutorial.md", "docs/recipes.md")
ELSEWHERE = {
    r"make( .*)?": ".ci/run runs make, make test and make wheel; tests/test_experiments.py what the others call",
    r"git clone .*": "needs the network",
    r"ner-head fetch .*": "tests/cli/test_fetch.py runs it with a hub of its own",
    r"dvc exp .*": "tests/test_experiments.py runs experiments",
    r"ner-head serve .*": "does not end; tests/server runs it",
    r".* --scheduler .*": "needs a cluster; tests/cli runs it with one",
    r".* --model my_ner .*": "tests/bundles installs a package with a model",
}
"""Commands that are run by something else, and by what."""


def commands(page: str) -> list[str]:
    """The lines of all blocks of shell commands of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.S) for line in block.splitlines()]
    return [part.strip() for line in lines for part in line.split(" # ")[0].split(" && ") if part.strip()]


def small(folder: Path, encoder: Path) -> None:
    """Set the params of a project to a tiny encoder and head."""
    changes = [f"encoder.model={encoder}", "head.lstm.hidden=8", "head.words.buckets=100", "training.epochs=1"]
    changes += ["training.held_out=0", "baseline.iterations=2", "runtime.progress=none", "runtime.device=cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["params", *changes])
        experiments.main()


def run(command: str, encoder: Path) -> None:
    """Run one command in this process."""
    program, *arguments = [word for word in shlex.split(command) if word]
    if program == "ner-head":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["ner-head", *arguments])
            with pytest.raises(SystemExit) as stop:
                cli.main()
        assert (stop.value.code or 0) == 0, command
        if arguments[:2] == ["init", "--project"]:
            small(Path(arguments[2]), encoder)
    elif program == "dvc":
        assert arguments[0] == "repro"
        for stage in STAGES if len(arguments) == 1 else [s for s in STAGES if s.__name__ == f"stages.{arguments[1]}"]:
            stage.main()
    elif program == "cd":
        os.chdir(arguments[0])
    elif program == "mkdir":
        Path(arguments[-1]).mkdir(parents=True)
    elif program == "cp":
        source = Path(arguments[0])
        for path in sorted(source.parent.glob(source.name))[:3]:
            shutil.copy(path, arguments[1])
    else:
        assert command == ". .venv/bin/activate" or program == ".", command


@pytest.fixture
def place(tiny_encoder: Path, tmp_path: Path) -> Iterator[Path]:
    """A repository with a small sample corpus and a finished pipeline, and a corpus beside it."""
    folder = tmp_path / "ner-head"
    for kind, suffix in (("raw", "txt"), ("annotated", "out")):
        for number in (1, 2):
            for topic in ("railway", "satellite"):
                for path in (ROOT / f"data/sample/{kind}/{topic}/pl").glob(f"*_0{number}.{suffix}"):
                    target = folder / f"data/sample/{kind}/{topic}/pl" / path.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, target)
    with project(folder, tiny_encoder, {"dev": "gold"}):
        for stage in STAGES:
            stage.main()
        (folder / "article.txt").write_text("Jana Nová bydlí v Brně.\n", encoding="utf-8")
        shutil.copytree(folder / "data/sample", tmp_path / "my-corpus")
        yield folder


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(
    page: str, place: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.parent if page == "docs/tutorial.md" else place)
    here = [c for c in commands(page) if not any(re.fullmatch(pattern, c) for pattern in ELSEWHERE)]
    for command in here:
        run(command, tiny_encoder)
    assert len(here) >= 5


def test_what_is_run_elsewhere_is_still_in_a_page() -> None:
    found = [command for page in PAGES for command in commands(page)]
    assert [p for p in ELSEWHERE if not any(re.fullmatch(p, command) for command in found)] == []


def test_python_of_the_readme_runs(place: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(.*?)```", text, flags=re.S):
        names: dict[str, object] = {}
        exec(compile(code, "README.md", "exec"), names)
        document = names["document"]
        assert isinstance(document, Document)
        assert document.sentences


def test_every_example_in_yaml_is_valid() -> None:
    import ruamel.yaml

    for page in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.S):
            assert json.dumps(ruamel.yaml.YAML(typ="safe").load(block))
