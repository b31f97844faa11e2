"""`embed --to npz|hewitt`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from ner_head.cli import main as cli
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import segment
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.shard import Features
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from tests.conftest import ROOT, encode_documents

TEXT = "Ahoj, světe. Jak je?"
NAMES = ["/und/text-1#0", "/und/text-1#1"]


def run(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["ner-head", "embed", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0), capsys.readouterr().err


@pytest.fixture
def exact(tiny_encoder: Path) -> list[Features]:
    """The states of the sentences of `TEXT` in float32, embeddings included."""
    encoder = Encoder(tiny_encoder, device=torch.device("cpu"), spec=EncoderSpec(dtype="float32", layers="0-3"))
    return encode_documents([Document("x", TEXT, sentences=segment(TEXT, "und"))], encoder, batch_pieces=1024)


@pytest.mark.parametrize(
    ("layers", "numbers"), [("all", [1, 2, 3]), ("last", [3]), ("last-2", [2, 3]), ("0-1", [0, 1])]
)
@pytest.mark.parametrize("pool", ["piece", "word", "sentence"])
def test_an_npz_has_the_exact_vectors_of_the_chosen_layers(
    tiny_encoder: Path,
    exact: list[Features],
    pool: str,
    layers: str,
    numbers: list[int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "new/out.npz"
    options = ("--encoder", str(tiny_encoder), "--to", "npz", "--layers", layers, "--pool", pool, "--quiet")
    code, err = run(str(out), "--text", TEXT, *options, capsys=capsys, monkeypatch=monkeypatch)
    assert (code, err) == (0, f"{out}: 2 sentences\n")
    assert [path.name for path in out.parent.iterdir()] == ["out.npz"]  # and nothing temporary
    found = np.load(out, allow_pickle=False)
    assert found["ids"].tolist() == NAMES
    assert found["layers"].tolist() == numbers
    assert found["vectors"].dtype == np.float32
    assert found["offsets"][0] == 0
    assert found["offsets"][-1] == len(found["vectors"])
    for number, features in enumerate(exact):
        states, words = features.hidden[:, numbers], features.word_of_piece
        expected = {
            "piece": states,
            "word": np.stack([states[words == word].mean(0) for word in range(words[-1] + 1)]),
            "sentence": states[1:].mean(0)[None],
        }
        rows = slice(*found["offsets"][number : number + 2])
        np.testing.assert_allclose(found["vectors"][rows], expected[pool], atol=1e-5)
        if pool == "piece":
            assert found["word_of_piece"][rows].tolist() == words.tolist()
            assert found["piece_ids"][rows].tolist() == features.piece_ids.tolist()


@pytest.mark.parametrize(("pool", "extra"), [("piece", 2), ("word", 0)])
def test_the_layout_of_structural_probes_has_one_dataset_per_sentence(
    tiny_encoder: Path,
    exact: list[Features],
    pool: str,
    extra: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ("--encoder", str(tiny_encoder), "--to", "hewitt", "--layers", "2-3", "--pool", pool, "--quiet")
    code, _ = run(str(tmp_path / "x.h5"), "--text", TEXT, *options, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    with h5py.File(tmp_path / "x.h5") as file:
        assert set(file) == {"0", "1", "sentence_to_index"}
        for number, features in enumerate(exact):
            n_words = int(features.word_of_piece[-1]) + 1
            size = len(features.piece_ids) + 1 if pool == "piece" else n_words
            assert file[str(number)].shape == (2, size, 16)
            assert file[str(number)].dtype == np.float32
            if extra:
                np.testing.assert_allclose(file[str(number)][:, -1], features.separator[2:], atol=1e-5)
                np.testing.assert_allclose(
                    file[str(number)][:, :-1], features.hidden[:, 2:].transpose(1, 0, 2), atol=1e-5
                )


def test_the_example_of_the_documentation_runs(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import numpy.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    options = ("--encoder", str(tiny_encoder), "--to", "npz", "--layers", "2-3", "--pool", "word", "--quiet")
    run("vectors.npz", "--text", TEXT, *options, capsys=capsys, monkeypatch=monkeypatch)
    exec(compile(code, "docs/export.md", "exec"), {})
    assert capsys.readouterr().out == f"{NAMES[0]} (4, 2, 16)\n"


def test_a_store_has_the_chosen_layers(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--encoder", str(tiny_encoder), "--layers", "last", "--quiet")
    assert run(str(tmp_path / "s"), "--text", TEXT, *options, capsys=capsys, monkeypatch=monkeypatch)[0] == 0
    store = FeatureStore.open(tmp_path / "s")
    assert list(store) == NAMES
    assert store[NAMES[0]].hidden.shape[1:] == (1, 16)
    assert store[NAMES[0]].first_layer == 3


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--pool", "word"], 2, "--pool word: a store has a vector per piece; write --to npz or --to hewitt"),
        (["--pool", "token", "--to", "npz"], 2, "pool: must be one of piece, word, sentence, got 'token'"),
        (["--layers", "9-2x"], 2, "encoder.layers: String should match pattern"),
        (["--layers", "4", "--to", "npz"], 2, "encoder.layers: 4, but the encoder has layers 0 to 3"),
        (["--to", "npz"], 2, "is a folder; --to npz writes a file"),
    ],
)
def test_wrong_options_are_one_line(
    options: list[str],
    code: int,
    message: str,
    tiny_encoder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    if options == ["--to", "npz"]:
        out.mkdir()
    arguments = (str(out), "--text", TEXT, "--encoder", str(tiny_encoder), *options)
    found, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert (found, len(err.splitlines())) == (code, 1)
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if out.is_dir() else [])
