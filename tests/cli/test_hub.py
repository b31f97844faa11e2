"""No command asks the hub for a name that means a folder."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from ner_head.cli import main as cli
from tests.conftest import ROOT


def model_with(encoder: str, model: Path, folder: Path, *, local: bool) -> Path:
    """A copy of the model whose manifest names another place of the encoder."""
    shutil.copytree(model, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["encoder"] |= {"model": encoder, "local": local}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("embed out --text x", []),  # the default encoder is a folder
        ("embed out --text x --encoder encoders/tiny", []),
        ("embed out --text x --encoder owner/tiny", ["owner/tiny"]),
        ("plan --params params.yaml", []),
        ("plan --params named.yaml", []),
        ("predict --text x --model bundled", []),
        ("predict --text x --model of-a-folder", []),
        ("predict --text x --model of-the-hub", ["owner/tiny"]),
        ("predict --text x --model bundled --encoder ./absent", []),
        ("bundle bundled out", []),
        ("bundle of-a-folder out --wheel --name my_ner", []),
        ("bundle of-the-hub out", ["owner/tiny"]),
    ],
)
def test_the_hub_is_asked_for_names_only(
    command: str,
    names: list[str],
    model: Path,
    tmp_path: Path,
    asked: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    (tmp_path / "named.yaml").write_text(params.replace("encoders/multilingual-e5-small", "owner/tiny"), "utf-8")
    model_with("encoder/tiny", model, tmp_path / "bundled", local=True)
    model_with("owner/tiny", model, tmp_path / "of-a-folder", local=True)
    model_with("owner/tiny", model, tmp_path / "of-the-hub", local=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ner-head", *command.split()])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert (stop.value.code, asked) == (2, names)
    assert len(capsys.readouterr().err.splitlines()) == 1
