"""`ner-head` itself: help, version, completion, and how quickly it starts."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import ner_head
from ner_head.cli.main import app, main
from tests.conftest import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def commands() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Every command and group of commands, with its words."""
    todo = [("ner-head", typer.main.get_command(app))]
    while todo:
        name, command = todo.pop()
        yield name, command
        todo += [(f"{name} {word}", inner) for word, inner in getattr(command, "commands", {}).items()]


COMMANDS = dict(commands())


def run(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["ner-head", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    output = capsys.readouterr()
    return int(stop.value.code or 0), output.out, output.err


def test_all_commands_are_there() -> None:
    known = {"predict", "embed", "score", "verify", "inspect", "plan", "cache", "cache list", "cache prune"}
    assert {name.removeprefix("ner-head").strip() for name in COMMANDS} >= known


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_ends_with_an_example_that_it_accepts(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, shown, err = run(*name.split()[1:], "--help", capsys=capsys, monkeypatch=monkeypatch)
    assert (code, err) == (0, "")
    heading, example = shown.rstrip().splitlines()[-2:]
    assert heading.strip() == "Example:"
    words = shlex.split(example.partition(">")[0])
    assert example.strip().startswith(name)
    found = next(n for n in sorted(COMMANDS, key=len, reverse=True) if words[: len(n.split())] == n.split())
    rest = words[len(found.split()) :]
    assert COMMANDS[found].make_context(found, rest).command is COMMANDS[found]
    assert "commands" not in vars(COMMANDS[found])  # the example is a command, not a group of them


def test_the_version_is_that_of_the_package(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--version", capsys=capsys, monkeypatch=monkeypatch) == (0, f"ner-head {ner_head.__version__}\n", "")


def test_a_shell_can_complete_commands(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_NER_HEAD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "ner-head pre")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run(capsys=capsys, monkeypatch=monkeypatch) == (0, "predict\n", "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("predict", 2, "nothing to read"),
        ("predict absent.txt", 2, "absent.txt: No such file or directory"),
        ("predict --text x --min-probability 2", 2, "--min-probability: must be between 0 and 1"),
        ("predict --text x --device tpu", 2, "runtime.device: Input should be 'auto', 'cpu', 'cuda' or 'mps'"),
        ("predict --text x --model absent", 3, "absent/manifest.json: No such file or directory; train one with"),
        ("predict --text x --model model --language xx", 2, "language 'xx': no code of ISO 639"),
        ("embed out --text x --device tpu", 2, "runtime.device"),
        ("embed out --text x --language xx", 2, "language 'xx': no code of ISO 639"),
        ("embed out --text x --encoder ./absent", 2, "encoder './absent': no such folder"),
        ("verify absent", 3, "absent/manifest.json: No such file or directory; run `dvc repro extract`"),
        ("inspect absent", 3, "absent/manifest.json: No such file or directory"),
        ("plan --params absent.yaml", 2, "absent.yaml: no such file"),
        ("cache list --params absent.yaml", 2, "absent.yaml: no such file"),
        ("score absent gold", 2, "absent: no such folder"),
        ("check absent", 2, "absent: no such file or folder"),
        ("folds", 2, "params.yaml: no such file"),
        ("suspects --kind odd", 2, "--kind: no kind 'odd'"),
        ("curve --fractions 2,1", 2, "--fractions: two or more different numbers above 0"),
        ("suggest absent.txt", 2, "absent.txt: No such file or directory"),
    ],
)
def test_wrong_arguments_are_refused_before_torch_is_imported(
    arguments: str, code: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/torch.py").write_text("raise AssertionError('torch was imported')\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/manifest.json").write_text('{"languages": ["cs", "simple"]}')
    done = subprocess.run(
        [sys.executable, "-m", "ner_head.cli.main", *arguments.split()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(tmp_path / "modules"), str(ROOT)])},
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"ner-head: {message}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_each_option_is_checked_before_torch_is_imported(command: str, tmp_path: Path) -> None:
    """A value that no option accepts, for each option of the command; and an option that it lacks."""
    (tmp_path / "torch.py").write_text("raise AssertionError('torch was imported')\n")
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    wrong = [["--no-such-option"]]
    for option in COMMANDS[f"ner-head {command}"].params:
        if option.opts[0].startswith("--") and not getattr(option, "is_flag", False):
            wrong.append([option.opts[0]])  # the value is missing
            if option.opts[0] in ("--threads", "--min-probability"):
                wrong.append([option.opts[0], "many"])
    assert len(wrong) > 5
    for arguments in wrong:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "ner_head.cli.main", command, "out", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import ")}
        assert (done.returncode, done.stdout) == (2, "")
        assert "typer" in imported
        assert not {"torch", "transformers", "h5py", "numba"} & imported


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_in_the_home_folder(shell: str, tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    for option, said in (("--show-completion", "_NER_HEAD_COMPLETE"), ("--install-completion", "completion installed")):
        done = subprocess.run(
            [sys.executable, "-m", "ner_head.cli.main", option, shell],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        assert said in done.stdout
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("_NER_HEAD_COMPLETE" in path.read_text() for path in written)


def quickest(*arguments: str) -> float:
    """The processor time in seconds of a Python process, the least of several."""
    times = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, env=ENVIRONMENT)
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(times)


def test_importing_the_package_and_asking_for_help_are_quick() -> None:
    """Processor time, because other processes share the machine; it is at most the time that passes."""
    bare = quickest("-c", "pass")
    assert quickest("-c", "import ner_head") - bare < 0.15
    assert quickest("-m", "ner_head.cli.main", "--help") < 0.5


def test_help_imports_no_slow_library() -> None:
    slow = ("torch", "transformers", "h5py", "numpy", "pydantic", "ruamel.yaml", "regex", "rich", "dask")
    code = f"import sys, ner_head.cli.main; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert done.stdout == "[]\n"
