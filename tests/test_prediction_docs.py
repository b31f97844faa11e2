"""The examples of docs/prediction.md run, and the document names every option and format."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import typer

from ner_head.cli import main as cli
from ner_head.corpus.documents import Document
from ner_head.evaluation.figures import Figures, model_digest
from ner_head.evaluation.thresholds import LabelThresholds
from ner_head.features.store.store import FeatureStore
from ner_head.prediction.sources import SOURCES
from ner_head.prediction.writers import WRITERS
from tests.conftest import LABELS, ROOT

PAGE = (ROOT / "docs/prediction.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]


@pytest.fixture
def place(
    model: Path, documents: list[Document], store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with what the examples read."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, "models/head")
    thresholds = {label: LabelThresholds(gold=50, steps=[(0.0, 50, 50)]) for label in LABELS}
    known = Figures(model=model_digest(model), data={}, scores={}, thresholds=thresholds)
    known.write(Path("models/head/figures.json"))
    shutil.copytree(store.directory, "features")
    for name in ("article.txt", "lines.txt", "news/1.txt", "more/2.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("\n".join(document.text for document in documents), encoding="utf-8")
    Path("records.jsonl").write_text(json.dumps({"id": 1, "text": documents[0].text}) + "\n", encoding="utf-8")
    Path("words.conll").write_text("Jan\nspí\n.\n", encoding="utf-8")
    shutil.copytree(ROOT / "data/sample/raw/railway/cs", "corpus/raw/railway/cs")
    return tmp_path


@pytest.mark.parametrize("command", [c for c in COMMANDS if not re.search("workers|scheduler|cat ", c)])
def test_a_command_runs(
    place: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = shlex.split(command.split(" > ")[0])
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    output = capsys.readouterr()
    assert (stop.value.code or 0) == 0, output.err
    assert output.out or "--output" in arguments


@pytest.mark.parametrize("code", [block for kind, block in BLOCKS if kind == "python"])
def test_python_runs(place: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "docs/prediction.md", "exec"), {})
    assert capsys.readouterr().out


def test_every_option_and_format_is_described() -> None:
    command = typer.main.get_command(cli.app).commands["predict"]  # type: ignore[attr-defined]
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    assert [option for option in sorted(options - {"--help"}) if option not in PAGE] == []
    assert [name for name in (*SOURCES, *WRITERS) if f"| `{name}`" not in PAGE] == []
