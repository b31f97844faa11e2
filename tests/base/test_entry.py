"""How programs end: one line, an exit code, and for what nobody expected a file with the traceback."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ner_head.base import entry
from ner_head.base.errors import DataError, ResourceError, UsageError, system_error
from tests.conftest import ROOT


def ended(main: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        entry.run(main, name="program")
    return int(stop.value.code or 0), capsys.readouterr().err


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no such thing"), 2, "program: no such thing"),
        (DataError("a.txt:3: not a row"), 3, "program: a.txt:3: not a row"),
        (ResourceError("no room"), 4, "program: no room"),
        (MemoryError(), 4, "program: not enough memory: none is left"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            4,
            "program: not enough memory: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 8 bytes",
        ),
        (OSError(errno.EMFILE, "x", "a"), 4, "program: a: Too many open files; raise this process's limit of open"),
        (PermissionError(errno.EACCES, "x", "reports"), 3, "program: reports: Permission denied"),
        (OSError(errno.ENOSPC, "no room for b"), 4, "program: [Errno 28] no room for b; free some space"),
        (OSError(errno.EXDEV, "x", "a", None, "b"), 4, "program: a -> b: Invalid cross-device link"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_a_user_can_mend_is_one_line(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, err = ended(raising(error), capsys)
    assert found == code
    assert err.startswith(line)
    assert len(err.splitlines()) == 1


def test_an_error_that_lists_several_lines_of_a_file_keeps_them(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = ended(raising(DataError("a.jsonl:1: no text\na.jsonl:4: no text")), capsys)
    assert (code, err) == (3, "program: a.jsonl:1: no text\na.jsonl:4: no text\n")


@pytest.mark.parametrize("error", [ValueError("of\ntwo lines"), RecursionError("deep"), KeyError("x"), OSError("odd")])
def test_anything_else_exits_with_70_and_keeps_its_traceback(
    error: Exception, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, err = ended(raising(error), capsys)
    assert code == 70
    assert len(err.splitlines()) == 1
    match = re.fullmatch(rf"program: unexpected: {type(error).__name__}: .*, please report, with (\S+\.log)\n", err)
    assert match
    log = Path(match[1]).read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in log
    assert type(error).__name__ in log
    assert "in main" in log


def test_control_characters_of_a_hostile_file_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = ended(raising(DataError("label '\x1b[31m\x00\x9b': odd\tчешки\r\u2028")), capsys)
    assert (code, err) == (3, "label '\\x1b[31m\\x00\\x9b': odd\tчешки\\x0d\\u2028\n".join(["program: ", ""]))


def test_a_name_of_thousands_of_characters_does_not_fill_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = ended(
        raising(DataError(f"a.out: annotates '{'<a>' * 9999}', but no file has this id; mend it")), capsys
    )
    assert code == 3
    assert err.startswith("program: a.out: annotates '<a><a>")
    assert err.endswith("<a>', but no file has this id; mend it\n")
    assert 1000 < len(err) < 2000


def test_two_failures_have_two_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for _ in range(2):
        ended(raising(ValueError("x")), capsys)
    assert len(list(tmp_path.glob("ner-head-*.log"))) == 2


def test_without_a_place_for_the_file_it_is_still_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    code, err = ended(raising(ValueError("x")), capsys)
    assert (code, len(err.splitlines())) == (70, 1)
    assert "no traceback: No such file or directory" in err


def test_what_ends_well_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    entry.run(lambda: None, name="program")
    assert capsys.readouterr() == ("", "")


def test_an_error_of_the_system_names_the_file_and_how_to_mend_it() -> None:
    absent = FileNotFoundError(errno.ENOENT, "whatever the library says")
    assert str(system_error(absent, Path("a.h5"), mend="run it")) == "a.h5: No such file or directory; run it"
    assert type(system_error(absent)) is DataError
    assert type(system_error(OSError(errno.EIO, "x"), mend="run it")) is ResourceError


PROGRAM = "from ner_head.base import entry; entry.run(lambda: {}, name='program')"
TWO_HANDS = "(print('София \\udce9'), print('Łódź', file=__import__('sys').stderr))"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "utf-16"])
def test_output_is_utf8_whatever_the_console_is(encoding: str) -> None:
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM.format(TWO_HANDS)]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert done.stdout.decode("utf-8").splitlines() == ["София \\udce9"]
    assert done.stderr.decode("utf-8").splitlines() == ["Łódź"]


def test_a_closed_pipe_is_quiet() -> None:
    many = "[print('x' * 1000) for _ in range(1000)]"
    command = [sys.executable, "-c", PROGRAM.format(many)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_a_pipe_that_was_never_read_is_quiet() -> None:
    command = [sys.executable, "-c", PROGRAM.format("print('x')")]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("ner_head.cli.main", "interrupted"),
        ("stages.prepare", "interrupted; what is finished is kept, and the next run"),
    ],
)
def test_ctrl_c_is_one_line(module: str, line: str, model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", module]
    if module == "ner_head.cli.main":
        command += ["predict", "-", "--from", "lines", "--model", str(model)]
    else:
        os.mkfifo(tmp_path / "params.yaml")  # reading it waits for ever
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        subprocess.Popen(command, **pipes, text=True, cwd=tmp_path, env=environment, process_group=0) as child,
        ExitStack() as stack,
    ):
        if module == "ner_head.cli.main":
            child.stdin.write("Praha\n")
            child.stdin.flush()
            assert "Praha" in child.stdout.readline()  # imports are done, it waits for the next line
        else:
            stack.enter_context((tmp_path / "params.yaml").open("w"))  # waits until the other end is opened
        os.killpg(child.pid, signal.SIGINT)
        assert child.stderr is not None
        err = child.stderr.read()
    assert child.returncode == 130, err
    assert err.startswith(line)
    assert len(err.splitlines()) == 1


def test_ctrl_c_while_a_stage_is_imported_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "stages.train"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 130
    assert done.stderr == "interrupted; what is finished is kept, and the next run goes on from there\n"


def test_a_warning_is_one_line() -> None:
    code = "import warnings; from ner_head.base import entry; entry.run(lambda: warnings.warn('slow'), name='program')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "program: warning: slow\n"
