"""The command `predict`: what it reads, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ner_head.corpus.documents import Document
from tests.cli.test_predict_and_embed import run

COMMAND = [sys.executable, "-m", "ner_head.cli", "predict"]
LINE = "Jan Kowalski mieszka w Warszawie."


def test_a_slow_pipe_gives_each_result_before_the_next_line(model: Path) -> None:
    command = [*COMMAND, "-", "--from", "lines", "--model", str(model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in (1, 2, 3):
            process.stdin.write(f"{LINE}\n")
            process.stdin.flush()
            record = json.loads(process.stdout.readline())
            assert (record["id"], record["text"]) == (f"-:{number}", LINE)
        process.stdin.close()
        assert process.wait() == 0


def test_a_closed_pipe_is_quiet_and_an_interrupt_is_one_line(model: Path) -> None:
    command = [*COMMAND, "-", "--from", "lines", "--model", str(model)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(f"{LINE}\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())
        process.stdout.close()
        process.stdin.write(f"{LINE}\n" * 100)
        process.stdin.close()
        assert process.wait() == 141
        assert process.stderr.read() == ""
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(f"{LINE}\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == "interrupted\n"


def test_folders_and_patterns_are_read_in_order(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.txt", "a.txt", "deep/c.txt", "d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(LINE, encoding="utf-8")

    def names(*inputs: str) -> list[str]:
        code, out, _ = run("predict", *inputs, "--model", str(model), capsys=capsys, monkeypatch=monkeypatch)
        assert code == 0
        return [str(Path(json.loads(line)["id"]).relative_to(tmp_path)) for line in out.splitlines()]

    assert names(str(tmp_path)) == ["a.txt", "b.txt", "deep/c.txt"]
    assert names(str(tmp_path / "*.txt")) == ["a.txt", "b.txt"]
    assert names(str(tmp_path / "**/c.*"), str(tmp_path / "d.csv")) == ["deep/c.txt", "d.csv"]


def test_inputs_that_cannot_be_read_are_skipped_on_demand(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff")
    (tmp_path / "b.txt").write_text(LINE, encoding="utf-8")
    arguments = ["predict", *(str(tmp_path / name) for name in ("a.txt", "b.txt", "c.txt")), "--model", str(model)]
    code, out, err = run(*arguments, "--skip-errors", capsys=capsys, monkeypatch=monkeypatch)
    assert code == 3
    assert [json.loads(line)["text"] for line in out.splitlines()] == [LINE]
    first, second, last = err.splitlines()
    assert first.endswith("c.txt: No such file or directory")
    assert second.endswith("a.txt: not UTF-8 at byte 0; convert it first")
    assert last == "ner-head: 2 inputs could not be read"
    code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_results_before_an_error_are_printed(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": LINE}) + "\nx\n", encoding="utf-8")
    arguments = ["predict", str(tmp_path / "a.jsonl"), "--from", "jsonl", "--model", str(model)]
    code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 3
    assert [json.loads(line)["text"] for line in out.splitlines()] == [LINE]
    assert "a.jsonl:2: not a document" in err


def test_an_output_file_is_complete_or_untouched(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = tmp_path / "a.jsonl", tmp_path / "new/out.jsonl"
    source.write_text(json.dumps({"text": LINE}) + "\n", encoding="utf-8")
    arguments = ["predict", str(source), "--from", "jsonl", "--model", str(model), "--output", str(output)]
    code, out, _ = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert (code, out) == (0, "")
    before = output.read_bytes()
    assert json.loads(before)["text"] == LINE
    source.write_text(json.dumps({"text": LINE}) + "\nx\n", encoding="utf-8")
    assert run(*arguments, capsys=capsys, monkeypatch=monkeypatch)[0] == 3
    assert output.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == ["out.jsonl"]
    folder = ["predict", "--text", LINE, "--model", str(model), "--to", "bsnlp", "--output"]
    assert run(*folder, str(tmp_path / "task"), capsys=capsys, monkeypatch=monkeypatch)[0] == 0
    (path,) = (tmp_path / "task").rglob("*.out")
    assert path.read_text(encoding="utf-8").startswith("text-1\nJan Kowalski\tJan Kowalski\tPER\t")
    code, _, err = run(*folder, str(tmp_path / "task"), capsys=capsys, monkeypatch=monkeypatch)
    assert code == 2
    assert "--to bsnlp writes a new folder, and this is there already" in err


@pytest.mark.parametrize("form", ["conll", "text", "html", "bsnlp", "jsonl"])
def test_every_format_of_output_has_the_entities(
    model: Path, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["predict", "--text", LINE, "--model", str(model), "--to", form]
    code, out, _ = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    assert "Warszawie" in out
    assert "LOC" in out


def test_readings_and_the_choice_of_spans(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["predict", "--text", LINE, "--model", str(model)]
    _, out, _ = run(*arguments, "--n-best", "3", capsys=capsys, monkeypatch=monkeypatch)
    (sentence,) = json.loads(out)["readings"]
    assert (sentence["start"], sentence["end"]) == (0, len(LINE))
    assert 2 <= len(sentence["best"]) <= 3
    for options, labels in [
        (["--labels", "LOC"], ["LOC"]),
        (["--labels", "PER, LOC"], ["PER", "LOC"]),
        (["--min-probability", "PER=1"], ["LOC"]),
        (["--min-probability", "1,PER=0"], ["PER"]),
    ]:
        _, out, _ = run(*arguments, *options, capsys=capsys, monkeypatch=monkeypatch)
        assert [span["label"] for span in json.loads(out)["spans"]] == labels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "csv"], "--from csv: must be one of text, lines, bsnlp2019, slavicner, conll, jsonl"),
        (["--to", "xml"], "--to xml: must be one of jsonl, conll, text, html, bsnlp"),
        (["--min-probability", "high"], "--min-probability: 'high' is no number; give 0.5, or PER=0.8,ORG=0.9"),
        (["--min-probability", "PER=2"], "--min-probability: must be between 0 and 1, got 2"),
        (["--min-probability", "EVT=0.5"], "label 'EVT': the model has LOC, PER"),
        (["--labels", "EVT"], "label 'EVT': the model has LOC, PER"),
        (["--labels", ","], "--labels: no label in it"),
        (["--n-best", "2", "--to", "html"], "--n-best: --to html has no place for several readings"),
        (["--output", "."], "--output .: is a folder; give a file"),
    ],
)
def test_wrong_options_are_refused_before_torch_is_imported(
    model: Path, options: list[str], message: str, tmp_path: Path
) -> None:
    code = (
        "import sys; from ner_head.cli.main import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'transformers', 'h5py', 'distributed'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "predict", "--text", LINE, "--model", str(model), *options]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (2, "[]\n")
    assert found.stderr.startswith(f"ner-head: {message}")
    assert len(found.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def many_lines(documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "many.txt"
    texts = [" ".join(d.text for d in documents[: 1 + number % 5]) for number in range(600)]
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_workers_give_the_same_lines_in_the_same_order_also_if_one_is_killed(
    model: Path, many_lines: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["predict", str(many_lines), "--from", "lines", "--model", str(model)]
    _, alone, _ = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert len(alone.splitlines()) == 600
    command = [*COMMAND[:-1], *arguments, "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = [process.stdout.readline()]
        os.kill(min(workers_of(process.pid)), signal.SIGKILL)
        found += process.stdout.readlines()
        assert process.wait() == 0
    assert "".join(found) == alone


def workers_of(process: int) -> list[int]:
    """The processes that Dask's nannies started for a process."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = []
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("no worker")
