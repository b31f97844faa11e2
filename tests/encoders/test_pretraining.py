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
from encoders.pretraining import cooccurrence, distil, mlm, text, word_vectors
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
    options += ["--distil-minutes", "0.02", "--words", "300"]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    encoder = Encoder(out, device=torch.device("cpu"))
    assert (encoder.fingerprint.n_layers, encoder.fingerprint.width, encoder.fingerprint.limit) == (2, 16, 16)
    report = json.loads((out / "pretraining.json").read_text())
    assert report["progress"]["step"] >= 1
    assert report["distillation"]["progress"]["step"] >= 1
    assert report["distillation"]["words"] == 300
    assert set(report["held_out_loss"]) <= set(text.LANGUAGES)


def test_words_of_like_use_have_like_vectors() -> None:
    towns, verbs = ("praha", "brno", "plzeň"), ("řekl", "dodal", "psal")
    lines = [f"včera v {town} ." for town in towns] * 20 + [f"on {verb} , že" for verb in verbs] * 20
    vectors = word_vectors.train(lines, size=4, most=20, contexts=20, least=2, seed=0)
    near = vectors.vectors.astype(np.float32) @ vectors.vectors.astype(np.float32).T
    place = {word: i for i, word in enumerate(vectors.words)}
    assert near[place["praha"], place["brno"]] > 0.95
    assert near[place["praha"], place["řekl"]] < 0.5
    assert set(vectors.words[:2]) == {"v", "."} | set() or len(vectors.words) == 12


def test_pairs_are_counted_within_a_line_and_weighted_by_distance() -> None:
    text_ = word_vectors.number(["a b C", "c"], most=9, contexts=9, least=1)
    counts = word_vectors.count_pairs(text_).toarray()
    word = {w: i for i, w in enumerate(text_.words)}
    assert text_.words[0] in {"a", "b", "C", "c"}
    assert counts.sum() == 2 * (1 + 1 + 0.5)
    assert counts[word["c"]].sum() == 0
    assert counts[word["a"]].sum() == 1.5
    assert text_.n_contexts == 3  # C and c are one context


def test_every_piece_is_asked_for_the_word_it_belongs_to(source: Path, tmp_path: Path) -> None:
    tokenizer, _ = command.prepare(source, source / "news", tmp_path, RECIPE, 400)
    words = ["министър", "на", "президентът"]
    targets = distil.Targets(words, torch.eye(3), tokenizer)
    pieces = [tokenizer.encode(w, add_special_tokens=False).ids for w in ("на", "президентът", "zzz", "на", "на")]
    row = np.array([[2, *(i for ids in pieces for i in ids)]])
    expected = [-1, *[1] * len(pieces[0]), *[2] * len(pieces[1]), *[-1] * len(pieces[2]), *[1] * len(pieces[3])]
    assert targets.find(row)[0].tolist() == [*expected, *[-1] * len(pieces[4])]  # the last may be cut
