"""`ner-head check`: what it finds, with file and line, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ner_head.cli import main as cli
from tests.conftest import ROOT
from tests.corpus.strategies import write

Run = Callable[..., tuple[int, str, str]]
STORY = "Vlak z Prahy do Brna jel včera tři hodiny a nikdo nevěděl proč se to stalo právě dnes ráno. "


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`ner-head check` in a folder; exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["ner-head", "check", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        output = capsys.readouterr()
        return int(stop.value.code or 0), output.out, output.err

    return call


def params(folder: Path, source: str, corpus_format: str, splits: str, encoder: str = "absent/encoder") -> None:
    write(
        folder,
        {
            "params.yaml": f"prepare:\n  source: {source}\n  format: {corpus_format}\n  splits: {splits}\n"
            f"encoder:\n  model: {encoder}\n"
        },
    )


def findings(out: str) -> dict[str, list[dict[str, Any]]]:
    """The findings of `--json` by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(out)["findings"]:
        found.setdefault(each["kind"], []).append(each)
    return found


def line(text: str, *spans: tuple[str, str], **more: str) -> str:
    """A record whose spans are the first occurrences of forms."""
    rows = [[text.index(form), text.index(form) + len(form), label] for form, label in spans]
    return json.dumps({"text": text, "spans": rows, "language": "cs", **more}, ensure_ascii=False)


def test_the_sample_has_neither_errors_nor_warnings(run: Run, tmp_path: Path) -> None:
    sample = ROOT / "data/sample"
    encoder = ROOT / "encoders/multilingual-e5-small"
    params(tmp_path, str(sample), "bsnlp2019", "{train: [railway], dev: [satellite]}", str(encoder))
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[:4] == ["train", "railway", "bg", "44"]
    assert out.splitlines()[-1] == "0 errors, 0 warnings"


def test_a_copy_in_dev_is_leakage_and_an_error(run: Run, tmp_path: Path) -> None:
    copied = STORY * 3
    lines = {"train": [line(copied, ("Prahy", "LOC"))], "dev": [line("Jiný text.", ("Jiný", "PER")), line(copied)]}
    write(tmp_path, {f"c/{name}.jsonl": "\n".join(rows) + "\n" for name, rows in lines.items()})
    params(tmp_path, "c", "jsonl", "{train: [train], dev: [dev]}")
    code, out, err = run()
    assert code == 3
    assert "error: leakage: 1\n  c/dev.jsonl:2: dev/cs/2 of dev shares 30% or more of its text with train/cs/1" in out
    assert "c/train.jsonl:1: scores on dev are too high" in out
    assert err.splitlines()[-1] == "ner-head: c: 1 errors; see above"


def test_annotations_are_checked_with_file_line_and_sentence(run: Run, tmp_path: Path) -> None:
    rows = [
        line("Praha leží v Čechách dnes.", ("Praha", "LOC"), ("Čechách", "LOC")),
        line("Praha rozhodla znovu.", ("Praha", "ORG")),
        line("Jede do Brna, kde bydlí.", ("Brna,", "LOC")),
        line("Vlak do Brna stojí.", ("Brna", "LOC")),
        line("Vlak do Brna stojí."),
        line("Pan Novák mlčel.", ("Novák ", "PER")),
        line("Pan Dvořák mlčel.", ("Dvoř", "PER")),
        line("Stal se Мoсква centrem.", ("Мoсква", "LOC")),
    ]
    write(tmp_path, {"c.jsonl": "\n".join(rows) + "\n"})
    code, out, _ = run("c.jsonl", "--json")
    found = findings(out)
    assert code == 0
    (mixed,) = found["several labels"]
    assert mixed["message"] == "'praha' is LOC 1, ORG 1"
    assert {(p["where"], p["label"]) for p in mixed["places"]} == {("c.jsonl:1", "LOC"), ("c.jsonl:2", "ORG")}
    assert found["punctuation"][0]["message"] == "LOC 'Brna,' (1) is 'Brna' elsewhere (1)"
    assert found["same sentence"][0]["places"][0]["where"] in ("c.jsonl:4", "c.jsonl:5")
    changed = [(each["places"][0]["where"], each["message"]) for each in found["changed span"]]
    assert ("c.jsonl:6", "PER 'Novák ' has white space at an end") in changed
    assert ("c.jsonl:7", "PER 'Dvoř' begins or ends inside a word") in changed
    assert found["mixed alphabets"][0]["message"] == "'Мoсква' has latin small letter o (U+006F)"
    assert found["mixed alphabets"][0]["places"][0]["where"] == "c.jsonl:8"
    kinds = {each["message"].split(" of type")[0] for each in found["few examples"]}
    assert {"2 spans", "1 span"} & kinds
    assert json.loads(out)["types"] == {"LOC": 5, "PER": 2, "ORG": 1}


def test_files_that_are_not_utf8_or_have_other_line_breaks_are_named(run: Run, tmp_path: Path) -> None:
    rows = "Jana\tB-PER\r\nspí\tO\r\n\r\nPraha\tB-LOC\r\n"
    write(tmp_path, {"good/a.conll": rows, "bad/a.conll": "Jana\tB-PER\nžije\tO\n".encode("cp1250")})
    code, out, _ = run("good", "--format", "conll")
    assert code == 0
    assert "warning: line breaks: 1\n  good/a.conll:1: lines end with CRLF" in out
    code, out, _ = run("bad", "--format", "conll")
    assert code == 3
    assert "  bad/a.conll:2: not UTF-8 (byte 0x9e)" in out


def test_a_conll_word_has_the_line_of_its_row(run: Run, tmp_path: Path) -> None:
    write(tmp_path, {"a.conll": "# a comment\nVlak\tO\ndo\tO\nBrna\tB-LOC\n\nBrna\tB-ORG\nje\tO\nVlak\tO\n"})
    _, out, _ = run("a.conll", "--format", "conll", "--json")
    (mixed,) = findings(out)["several labels"]
    assert {place["where"] for place in mixed["places"]} == {"a.conll:4", "a.conll:6"}


def test_characters_that_the_encoder_does_not_know_are_named(run: Run, tmp_path: Path, tiny_encoder: Path) -> None:
    write(tmp_path, {"c.jsonl": line("Jana a ☃ spí.", ("Jana", "PER")) + "\n"})
    params(tmp_path, "c.jsonl", "jsonl", "{train: [c]}", str(tiny_encoder))
    _, out, err = run("--json")
    found = findings(out)["unknown characters"]
    assert any("U+2603" in each["message"] and each["places"][0]["where"] == "c.jsonl:1" for each in found)
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent"], 2, "absent: no such file or folder"),
        ([], 2, "params.yaml: no such file"),
        (["absent", "--format", "xml"], 2, "--format: unknown format 'xml'"),
    ],
)
def test_what_cannot_be_checked_is_one_line(
    run: Run, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1
