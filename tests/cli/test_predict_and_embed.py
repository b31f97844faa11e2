"""The commands that run the encoder: `predict` and `embed`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ner_head
from ner_head.cli import main as cli
from ner_head.corpus.documents import Document, sentence_id
from ner_head.corpus.records import read_documents
from ner_head.features.store.store import FeatureStore
from tests.conftest import ROOT


def run(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["ner-head", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    output = capsys.readouterr()
    return int(stop.value.code or 0), output.out, output.err


def test_predict_writes_a_json_line_per_text(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"Jan Kowalski mieszka w Warszawie.\r\nTo miasto.")
    text = "Jana Nováková přijela do Prahy. Vláda mlčela."
    code, out, _ = run(
        "predict", str(file), "--text", text, "--model", str(model), capsys=capsys, monkeypatch=monkeypatch
    )
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert first["text"] == text
    assert first["language"] == "cs"
    shown = dict(first["spans"][0])
    assert 0 < shown.pop("probability") <= 1
    assert shown == {"start": 0, "end": 13, "label": "PER", "text": "Jana Nováková"}
    assert second["id"] == str(file)
    assert second["text"] == file.read_bytes().decode()
    assert all(second["text"][s["start"] : s["end"]] == s["text"] for s in second["spans"])


def test_predict_runs_on_as_many_threads_as_asked(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    arguments = ("predict", "--text", "x", "--model", str(model))
    run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert 3 not in asked
    run(*arguments, "--threads", "3", capsys=capsys, monkeypatch=monkeypatch)
    assert 3 in asked
    code, _, err = run("predict", "--text", "x", "--threads=-1", capsys=capsys, monkeypatch=monkeypatch)
    assert code == 2
    assert "--threads" in err


def test_less_probable_spans_are_left_out_on_demand(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, documents: list[Document]
) -> None:
    texts = [text for document in documents for text in ("--text", document.text)]

    def probabilities(*options: str) -> list[float]:
        code, out, _ = run("predict", *texts, "--model", str(model), *options, capsys=capsys, monkeypatch=monkeypatch)
        assert code == 0
        return [span["probability"] for line in out.splitlines() for span in json.loads(line)["spans"]]

    everything = probabilities()
    middle = sorted(everything)[len(everything) // 2]
    assert probabilities("--min-probability", "0") == everything
    assert probabilities("--min-probability", str(middle - 1e-4)) == [p for p in everything if p > middle - 1e-4]
    assert len(probabilities("--min-probability", "1")) < len(everything)


def test_predict_reads_standard_input(model: Path) -> None:
    command = [sys.executable, "-m", "ner_head.cli", "predict", "-", "--model", str(model)]
    text = "Анна Петрова живёт в Москве. Она рада."
    found = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    record = json.loads(found.stdout)
    assert [s["text"] for s in record["spans"]] == ["Анна Петрова", "Москве"]
    assert record["language"] == "ru"


def test_wrong_input_is_one_line_and_an_exit_code(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "latin.txt").write_bytes("Plzeň".encode("cp1250"))
    (tmp_path / "utf16.txt").write_bytes("Plzeň".encode("utf-16"))
    cases = [
        (["predict"], 2, "nothing to read"),
        (["predict", str(tmp_path / "absent.txt")], 2, "absent.txt: No such file or directory"),
        (["predict", str(tmp_path / "latin.txt")], 3, "latin.txt: not UTF-8 at byte 4"),
        (["predict", "--text", "x", "--model", str(tmp_path)], 3, "train one with `dvc repro`"),
        (["predict", "--text", "x", "--model", str(model), "--device", "cuda"], 2, "no cuda device"),
        (["predict", "--text", "x", "--model", str(model), "--device", "tpu"], 2, "runtime.device"),
        (
            ["predict", "--text", "x", "--min-probability", "1.5"],
            2,
            "--min-probability: must be between 0 and 1, got 1.5",
        ),
        (["embed", str(tmp_path / "out"), "--text", "x", "--encoder", "no/such/folder/x"], 2, "no such folder"),
        (["embed", str(tmp_path / "out"), "--text", " "], 3, "no words in any text"),
        (["embed", str(tmp_path / "out"), "--text", "x", "--language", "xx"], 2, "language 'xx': no code of ISO 639"),
        (["predict", str(model)], 3, "no files *.txt in it"),
        (["predict", str(tmp_path / "*.csv")], 2, "*.csv: No such file or directory"),
        (["predict", str(tmp_path / "utf16.txt")], 3, "utf16.txt: not UTF-8 at byte 0 (it is UTF-16)"),
        (["predict", "--text", "Plze\udcf2"], 2, "--text 1: not UTF-8 at character 4"),
        (["predict", "-", "-"], 2, "-: given twice; every text needs an id of its own"),
        (["predict", "a.txt", "a.txt"], 2, "a.txt: given twice"),
        (["embed", str(tmp_path / "out"), "a.txt", "b.txt", "a.txt"], 2, "a.txt: given twice"),
        (["embed", str(tmp_path / "out"), "text-1", "--text", "x"], 2, "text-1: given twice"),
        (["predict", "--text", "x", "--model", str(model), "--language", "xx"], 2, "language 'xx': no code of ISO 639"),
    ]
    if torch.cuda.is_available():
        del cases[4]
    for arguments, expected, message in cases:
        code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
        assert (code, out) == (expected, "")
        assert message in err
        assert len(err.splitlines()) == 1 + ("text-1: no text in it" in err)
        assert not (tmp_path / "out").exists()


def test_embed_writes_a_feature_store(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "store"
    options = ["--text", "Ahoj, světe. Jak je?", "--encoder", str(tiny_encoder), "--language", "cs"]
    code, _, _ = run("embed", str(out), *options, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    (document,) = read_documents(out / "documents.jsonl")
    store = FeatureStore.open(out)
    for i, sentence in enumerate(document.sentences):
        features = store[sentence_id(document.key, i)]
        assert features.hidden.shape == (len(features.piece_ids), 3, 16)
        assert int(features.word_of_piece[-1]) + 1 == len(sentence.words)


def test_embed_does_not_mix_encoders(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_encoder, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"layer_norm_eps": 1e-12', '"layer_norm_eps": 1e-05'))

    def embed(text: str, encoder: Path) -> tuple[int, str, str]:
        options = ["--text", text, "--encoder", str(encoder), "--quiet"]
        return run("embed", str(tmp_path / "store"), *options, capsys=capsys, monkeypatch=monkeypatch)

    assert embed("Ahoj.", tiny_encoder)[0] == 0
    before = (tmp_path / "store/manifest.json").read_bytes()
    code, _, err = embed("Ahoj.", other)
    assert code == 3
    assert f"holds features of another encoder ({tiny_encoder}); take another folder" in err
    assert (tmp_path / "store/manifest.json").read_bytes() == before
    assert embed("Nazdar.", tiny_encoder)[0] == 0


def test_a_text_without_words_is_named_and_kept(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.txt").touch()
    arguments = ["predict", str(tmp_path / "empty.txt"), "--text", "Jan spí.", "--model", str(model)]
    code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["Jan spí.", ""]
    assert err == f"ner-head: {tmp_path / 'empty.txt'}: no text in it\n"


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes there")
def test_a_name_that_is_not_utf8_is_escaped(model: Path, tmp_path: Path) -> None:
    name = b"caf\xe9.txt"
    (tmp_path / os.fsdecode(name)).write_text("Jan Kowalski mieszka w Warszawie.", encoding="utf-8")
    command = [sys.executable, "-m", "ner_head.cli.main", "predict", name, "--model", str(model)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env=environment)
    assert json.loads(found.stdout)["id"] == "caf\\xe9.txt"


@pytest.mark.parametrize(
    ("given", "shown", "line"),
    [
        ("PL", "pl", ""),
        ("ces", "cs", ""),
        ("uk", "uk", "ner-head: this model was trained on cs, pl, ru, not on uk: expect worse results\n"),
    ],
)
def test_the_language_given_is_normalised_and_an_unknown_one_is_told(
    model: Path,
    given: str,
    shown: str,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["predict", "--text", "Jan spí.", "--model", str(model), "--language", given]
    code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    record = json.loads(out)
    assert (code, record["language"], record["language_probability"], err) == (0, shown, None, line)


def test_a_guessed_language_has_its_probability(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, documents: list[Document]
) -> None:
    arguments = ["predict", "--text", documents[0].text, "--model", str(model)]
    code, out, _ = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    record = json.loads(out)
    assert (code, record["language"]) == (0, "cs")
    assert 0.5 <= record["language_probability"] <= 1


def test_help_starts_without_torch() -> None:
    code = (
        "import sys, ner_head, ner_head.cli.main; print(sorted({'torch', 'transformers', 'h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = ner_head.Nothing


def test_a_short_text_loads_neither_numba_nor_transformers(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Jan Kowalski mieszka w Warszawie.", encoding="utf-8")
    found = {}
    for source in (["--text", "Jan Kowalski mieszka w Warszawie."], ["a.txt"]):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "ner_head.cli", "predict", *source, "--model", str(model)],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import ")}
        assert "torch" in imported
        assert not {"transformers", "torch._dynamo", "dask", "rich"} & imported
        found[source[0]] = ("numba" in imported, json.loads(done.stdout)["spans"])
    assert found["--text"] == (False, found["a.txt"][1])
    assert found["a.txt"][0]  # many sentences are expected of a file
