"""The commands of docs/conversion.md run in their order, with a tiny model and an annotator in between."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import get_args

import pytest
from ruamel.yaml import YAML

from ner_head import conversion
from ner_head.cli import main as cli
from ner_head.conversion.comparison import Fate
from ner_head.corpus.documents import Document, Span
from ner_head.preparation.prepare import PrepareParams, prepare
from tests.conftest import ROOT

PAGE = (ROOT / "docs/conversion.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```(\w+)\n(.*?)^ *```", PAGE, flags=re.DOTALL | re.MULTILINE)
COMMANDS = [line.strip() for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.strip()]


@pytest.fixture
def place(model: Path, documents: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, new texts, the sample, params and an export of Label Studio."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, "models/head")
    for part in ("raw/railway/cs", "raw/satellite/cs", "annotated/railway/cs", "annotated/satellite/cs"):
        shutil.copytree(ROOT / "data/sample" / part, Path("data/sample", part))
    shutil.copy(ROOT / "params.yaml", ".")
    Path("news").mkdir()
    for document in documents[::2]:
        Path("news", f"{document.id}.txt").write_text(f"{document.text} 😀", encoding="utf-8")
    conversion.write(documents, "export.json", "label-studio")
    return tmp_path


def run(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code, and what it said on standard error."""
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0), capsys.readouterr().err


def annotate() -> None:
    """Export what an annotator makes of the tasks: one label changed, one mention removed, one added."""
    tasks = json.loads(Path("tasks.json").read_text(encoding="utf-8"))
    regions = [[{k: v for k, v in r.items() if k != "score"} for r in t["predictions"][0]["result"]] for t in tasks]
    regions[0][0]["value"]["labels"] = ["ORG"]
    del regions[1][0]
    text = tasks[2]["data"]["text"]
    added = {"start": len(text) - 1, "end": len(text), "text": "😀", "labels": ["PER"]}
    regions[2].append({"id": "n", "from_name": "label", "to_name": "text", "type": "labels", "value": added})
    exported = [
        {"id": n, "data": t["data"], "predictions": t["predictions"], "annotations": [{"id": n, "result": found}]}
        for n, (t, found) in enumerate(zip(tasks, regions, strict=True), 100)
    ]
    Path("export.json").write_text(json.dumps(exported), encoding="utf-8")
    shutil.copy("doccano.jsonl", "all.jsonl")


def test_the_round_of_prediction_correction_and_training(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {}
    for command in COMMANDS:
        if command == "dvc repro":
            continue
        if " corpus/corrected.jsonl" in command:
            annotate()
        code, said[command] = run(command, monkeypatch, capsys)
        assert code == 0, (command, said[command])
    (first,) = (text for command, text in said.items() if "export.json corpus/corrected" in command)
    assert "documents: 3 came back, 0 of them unchanged, 0 predicted ones are missing" in first
    assert re.search(r"mentions: \d+ accepted, 1 changed \(label 1, boundaries 0, both 0\), 1 removed, 1 new", first)
    changes = json.loads(Path("changes.json").read_text(encoding="utf-8"))["compared"]
    assert set(changes["mentions"]) == set(get_args(Fate))
    (second,) = (text for command, text in said.items() if "all.jsonl corpus/second" in command)
    assert "3 of them unchanged" in second
    params = YAML(typ="safe").load(Path("params.yaml").read_text(encoding="utf-8"))["prepare"]
    prepared = prepare(PrepareParams.model_validate(params))  # the first stage of `dvc repro`
    found = {document.key: document for documents in prepared.splits.values() for document in documents}
    smiling = [document for key, document in found.items() if key.startswith("corrected/")]
    assert len(smiling) == 3
    (marked,) = (d for d in smiling if any(d.text[s.start : s.end] == "😀" for s in d.spans))
    assert all(span.probability is None for span in marked.spans)
    assert {"railway", "satellite", "corrected", "second"} == {document.topic for document in found.values()}


def test_python_of_the_page_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for kind, block in BLOCKS if kind == "python")
    exec(compile(code, "docs/conversion.md", "exec"), {})
    assert capsys.readouterr().out == "{}\n"


def test_the_page_names_each_format_and_option() -> None:
    assert [name for name in conversion.TOOLS if f"| `{name}` |" not in PAGE] == []
    options = re.findall(
        r'typer\.Option\(\s*"(--[\w-]+)', (ROOT / "ner_head/cli/convert.py").read_text(encoding="utf-8")
    )
    assert [name for name in options if name not in PAGE] == []


def test_strict_exits_with_3_and_lists_what_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = Document("d", "Jana Nová", "cs", spans=(Span(0, 4, "PER"), Span(0, 9, "PER")))
    conversion.write([document], tmp_path / "a.jsonl", "jsonl")
    command = f"ner-head convert {tmp_path}/a.jsonl {tmp_path}/a.conll --from jsonl --to conll"
    code, said = run(command, monkeypatch, capsys)
    assert code == 0
    assert "lost: 1 overlapping\n  /cs/d: 'Jana PER [0, 4)'" in said
    code, said = run(f"{command} --strict", monkeypatch, capsys)
    assert code == 3
    assert said.splitlines()[-1] == f"ner-head: --strict: 1 losses in {tmp_path}/a.conll"
    assert (tmp_path / "a.conll").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("a.jsonl b --from jsonl --to word", "unknown format 'word'; formats are label-studio"),
        ("absent.jsonl b --from jsonl --to brat", "absent.jsonl: no such file or folder"),
        ("a.jsonl b --from jsonl --to conll --columns 11", "--columns: between 2 and 10, got 11"),
        ("a.jsonl b --from jsonl --to conll --scheme IOBES", "--scheme IOBES: must be one of IOB2, IOB1, BIOES"),
        ("a.jsonl full --from jsonl --to brat", "full: exists already; remove it, or give another folder"),
        ("a.jsonl full --from jsonl --to spacy", "full: is a folder; spacy writes a file"),
    ],
)
def test_wrong_arguments_exit_with_2(
    tmp_path: Path, arguments: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    conversion.write([Document("d", "Jana")], "a.jsonl", "jsonl")
    Path("full").mkdir()
    Path("full/x").touch()
    code, said = run(f"ner-head convert {arguments}", monkeypatch, capsys)
    assert code == 2
    assert message in said


def test_an_absent_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ner_head.base.extras.find_spec", lambda name: None)
    code, said = run("ner-head convert a b --from jsonl --to xmi", monkeypatch, capsys)
    assert code == 2
    assert "cassis is not installed; install it with: pip install 'ner-head[inception]'" in said


def test_init_says_how_to_convert_an_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    conversion.write([Document("d", "Jana", spans=(Span(0, 4, "PER"),))], "export.json", "label-studio")
    shutil.copy(ROOT / "params.yaml", ".")
    code, said = run("ner-head init export.json", monkeypatch, capsys)
    assert code == 2
    assert "convert them first: ner-head convert export.json corpus.jsonl --from label-studio --to jsonl" in said
