"""The command `bundle`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ner_head.cli import main as cli
from ner_head.recognizer import Recognizer


def run(*arguments: str | Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit code, and what is on standard output, or the one line on standard error."""
    monkeypatch.setattr(sys, "argv", ["ner-head", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    output = capsys.readouterr()
    assert len((output.out + output.err).splitlines()) == 1
    return int(stop.value.code or 0), output.out + output.err


def test_the_folder_is_written_and_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("bundle", model, "out/mine", capsys=capsys, monkeypatch=monkeypatch) == (0, "out/mine\n")
    text = (tmp_path / "out/mine/README.md").read_text()
    assert text.startswith("# mine\n\nFinds LOC and PER in texts in cs, pl and ru.\n\n| | |")
    assert Recognizer.load("out/mine", device="cpu").recognize(["Jan."])
    code, line = run("bundle", model, "out/mine", capsys=capsys, monkeypatch=monkeypatch)
    assert (code, line) == (2, "ner-head: out/mine: exists already; remove it, or give another folder\n")


def test_the_wheel_is_written_and_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "about.md").write_text("Only for tests.\n")
    options = ["--wheel", "--name", "my_ner", "--version", "2.1", "--about", tmp_path / "about.md", "--summary", "Mine"]
    found = run("bundle", model, tmp_path, *options, capsys=capsys, monkeypatch=monkeypatch)
    assert found == (0, f"{tmp_path}/my_ner-2.1-py3-none-any.whl\n")
    assert {path.name for path in tmp_path.iterdir()} == {"about.md", "my_ner-2.1-py3-none-any.whl"}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--wheel"], 2, "--wheel: needs the name of the package too (--name my_ner)"),
        (["--wheel", "--name", "my-ner"], 2, "--name my-ner: not the name of a Python package, such as my_ner"),
        (["--wheel", "--name", "my_ner", "--version", "x"], 2, "--version x: not a version of a Python package"),
        (["--about", "absent.md"], 2, "--about absent.md: No such file or directory"),
        (["--summary", "one\ntwo"], 2, "--summary: must be one line"),
        (["--encoder", "./absent"], 2, "encoder './absent': no such folder"),
    ],
)
def test_wrong_options_are_one_line_and_write_nothing(
    model: Path,
    tmp_path: Path,
    options: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, line = run("bundle", model, "out", *options, capsys=capsys, monkeypatch=monkeypatch)
    assert found == code
    assert line.startswith(f"ner-head: {message}")
    assert list(tmp_path.iterdir()) == []


def test_an_absent_model_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, line = run("bundle", "absent", tmp_path / "out", capsys=capsys, monkeypatch=monkeypatch)
    assert code == 3
    assert line.startswith("ner-head: absent/manifest.json: No such file or directory; train one with `dvc repro`")
