"""`ner-head score`: which documents are scored, and what it refuses to score."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ner_head.cli import main as cli
from tests.corpus.strategies import write

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`ner-head score` in a folder; exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["ner-head", "score", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        output = capsys.readouterr()
        return int(stop.value.code or 0), output.out, output.err

    return call


PRAHA = "Prahy\tPraha\tLOC\t1\n"


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """A golden folder and a system's, which lacks one of the two documents."""
    write(tmp_path, {"gold/t/cs/1.out": f"cs-1\n{PRAHA}", "gold/t/cs/2.out": "cs-2\n", "system/t/cs/1": "cs-1\n"})
    return tmp_path


def test_score_prints_a_table_or_all_slices_as_json(scored: Path, run: Run) -> None:
    code, out, err = run("gold", "system")
    assert code == 0
    first, second = (block.splitlines() for block in out.split("\n\n"))
    assert [line.split()[0] for line in first] == ["relaxed", "P", "all", "LOC", "cs"]
    assert [line.split()[0] for line in second] == ["linking", "P", "all"]
    assert err == "golden documents: 1 scored, 1 skipped, as the system has no file of them (the first is t/cs/cs-2)\n"
    code, out, err = run("gold", "gold", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["normalization"]["t/cs/LOC"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert json.loads(out)["lemma_accuracy"]["t/cs/LOC"] == 1.0
    assert json.loads(out)["linking_language"]["all"]["f1"] == 0.0  # one mention has no link


def test_few_of_the_golden_documents_are_scored_on_demand_only(tmp_path: Path, run: Run) -> None:
    write(tmp_path, {f"gold/t/cs/{i}": f"cs-{i}\n{PRAHA}" for i in range(5)})
    write(tmp_path, {f"system/t/cs/{i}": f"{'cs' if i < 2 else 'file'}-{i}\n{PRAHA}" for i in range(5)})
    code, out, err = run("gold", "system")
    assert (code, out) == (3, "")
    assert err == (
        "ner-head: golden documents: 2 scored, 3 skipped, as the system has no file of them (the first is t/cs/cs-2); "
        "--by-name pairs by names of files, --allow-missing scores the few that there are\n"
    )
    code, out, err = run("gold", "system", "--allow-missing", "--json")
    assert (code, json.loads(out)["strict"]["all"]["f1"]) == (0, 1.0)
    assert err.startswith("golden documents: 2 scored, 3 skipped")
    code, out, err = run("gold", "system", "--by-name", "--json")
    assert (code, err, json.loads(out)["strict"]["all"]["f1"]) == (0, "", 1.0)
    (tmp_path / "gold/t/cs/0").unlink()  # exactly half is enough
    assert run("gold", "system", "--allow-missing")[0] == 0
    (tmp_path / "gold/t/cs/4").unlink()
    assert run("gold", "system")[0] == 3
    (tmp_path / "gold/t/cs/3").unlink()
    assert run("gold", "system")[0] == 0


def test_by_name_pairs_whatever_the_ids_and_suffixes_are(tmp_path: Path, run: Run) -> None:
    write(tmp_path, {"gold/t/bg/a.txt_file_1.out": f"bg-1\n{PRAHA}", "gold/t/bg/b.out": f"bg-2\n{PRAHA}"})
    write(tmp_path, {"system/t/bg/a.txt_file_1.out": f"bg-2\n{PRAHA}", "system/t/bg/b": "x\n"})
    code, out, err = run("gold", "system", "--by-name", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["strict"]["all"] == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    write(tmp_path, {"system/t/bg/b.txt": "x\n"})
    code, out, err = run("gold", "system", "--by-name")
    assert (code, out) == (3, "")
    assert "the name without suffix is that of b too" in err


def test_rows_that_are_none_are_counted(scored: Path, run: Run) -> None:
    write(scored, {"system/t/cs/1": f"cs-1\n{PRAHA}a remark\n"})
    code, _, err = run("gold", "system")
    assert code == 0
    assert err.startswith("rows ignored: 1 (the first is 'system/t/cs/1:3: a remark')\n")


TEXT = "cs-1\ncs\n2019-01-01\nhttps://example.org\nTitle\n\nA text.\n"


@pytest.mark.parametrize(
    ("contents", "arguments", "expected", "message"),
    [
        ({}, ["absent", "system"], 2, "absent: no such folder"),
        ({}, ["gold", "absent"], 2, "absent: no such folder"),
        ({}, ["gold/t/cs", "system"], 3, "no folders TOPIC/LANGUAGE in it"),
        ({}, ["gold", "."], 3, "files are expected as TOPIC/LANGUAGE/FILE"),
        (
            {"raw/t/cs/1.txt": TEXT},
            ["gold", "raw"],
            3,
            "raw: no annotation in it; the first line that is none is 1",
        ),
        ({"raw/t/cs/1.txt": TEXT}, ["raw", "system"], 3, "raw: no annotation in it"),
        ({"gold/t/cs/1.out": "cs-1\n"}, ["gold", "system"], 3, "gold: no annotation in it, so there is nothing"),
        ({"system/t/cs/1": "cs-9\n"}, ["gold", "system"], 3, "--by-name pairs by names of files"),
        ({"gold/u/cs/1": "cs-1\n"}, ["gold", "gold/t"], 3, "gold/t: no document of gold in it"),
    ],
)
def test_what_score_cannot_score_is_one_line_and_an_exit_code(
    scored: Path, run: Run, contents: dict[str, str], arguments: list[str], expected: int, message: str
) -> None:
    write(scored, contents)
    code, out, err = run(*arguments)
    assert (code, out) == (expected, "")
    assert message in err
    assert len(err.splitlines()) == 1
