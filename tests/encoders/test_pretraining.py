from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from encoders.pretraining import __main__ as command
from encoders.pretraining import cooccurrence, mlm, text
from ner_head.features.encoder import Encoder
from tests.conftest import ROOT

RECIPE = mlm.Recipe(hidden_size=16, layers=2, heads=2, row=16, rows_per_step=4)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Running text in the expected layout, from the sample corpus."""
    folder = tmp_path_factory.mktemp("text")
    for language in text.LANGUAGES:
        files = sorted((ROOT / "data/sample/raw/railway" / language).glob("*.txt"))
        (folder / "news" / language).mkdir(parents=True)
        (folder / "news" / language / "a.txt").write_bytes(files[0].read_bytes())
        with lzma.open(folder / f"{language}.txt.xz", "wt", encoding="utf-8") as handle:
            handle.write("\n".join(file.read_text(encoding="utf-8") for file in files[1:]))
    return folder


def test_whole_words_are_hidden_and_special_pieces_never() -> None:
    continues = torch.tensor([False] * 8 + [True] * 8)
    ids = torch.tensor([[2, 5, 8, 9, 6, 10, 7, 3]] * 400)
    generator = torch.Generator().manual_seed(0)
    inputs, chosen = mlm.mask_words(ids, continues, 5, 4, 0.3, 16, generator)
    for word in ([1, 2, 3], [4, 5], [6]):
        assert (chosen[:, word].all(1) == chosen[:, word].any(1)).all()
    assert not chosen[:, [0, 7]].any()
    assert 0.25 < chosen[:, 6].float().mean() < 0.35
    assert (inputs[~chosen] == ids[~chosen]).all()
    assert 0.7 < (inputs[chosen] == 4).float().mean() < 0.9
    assert (inputs >= 2).all()


def test_ppmi_counts_neighbours_by_distance() -> None:
    counts = cooccurrence.count_pairs([np.array([0, 1, 2], dtype=np.uint16)], 4)
    assert counts[0, 1] == counts[1, 0] == 1.0
    assert counts[0, 2] == 0.5
    assert counts[3].sum() == 0
    assert (cooccurrence.ppmi_(counts) >= 0).all()


def test_a_resumed_run_equals_an_uninterrupted_one(source: Path, tmp_path: Path) -> None:
    def trainer(work: Path) -> mlm.Pretrainer:
        tokenizer, streams = command.prepare(source, source / "news", tmp_path / "prepared", RECIPE, 400)
        names = [piece for piece, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
        start = torch.full((len(names),), 1 / len(names))
        model = mlm.build(RECIPE, len(names), start, torch.zeros(len(names), 16))
        rows = mlm.Rows(streams, RECIPE, cls=2, sep=3)
        return mlm.Pretrainer(model, rows, RECIPE, names, work, torch.device("cpu"))

    whole = trainer(tmp_path / "whole")
    whole.model.eval()  # no dropout, as in `run`
    losses = [whole.step(1.0) for _ in range(4)]
    first = trainer(tmp_path / "parts")
    first.model.eval()
    parts = [first.step(1.0), first.step(1.0)]
    first.save()
    second = trainer(tmp_path / "parts")
    second.model.eval()
    assert second.resume()
    parts += [second.step(1.0), second.step(1.0)]
    assert parts == losses
    for a, b in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_command_writes_an_encoder_that_the_product_loads(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlm, "Recipe", lambda: RECIPE)
    app = typer.Typer()
    app.command()(command.main)
    out, work = tmp_path / "encoder", tmp_path / "work"
    options = [str(source), str(source / "news"), str(out), "--work", str(work), "--minutes", "0.02", "--pieces", "400"]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    encoder = Encoder(out, device=torch.device("cpu"))
    assert (encoder.fingerprint.n_layers, encoder.fingerprint.width, encoder.fingerprint.limit) == (2, 16, 16)
    report = json.loads((out / "pretraining.json").read_text())
    assert report["progress"]["step"] >= 1
    assert set(report["held_out_loss"]) <= set(text.LANGUAGES)
