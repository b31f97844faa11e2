from __future__ import annotations

import json
import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from encoders.pretraining import __main__ as command
from encoders.pretraining import distil, loop, model, pieces, rows, text, word_vectors
from ner_head.features.encoder import Encoder
from tests.conftest import ROOT

RECIPE = model.Recipe(
    hidden_size=16, intermediate_size=32, layers=4, first_layers=2, first_minutes=0.01, heads=2, row=16, rows_per_step=4
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Running text in the expected layout, from the sample corpus."""
    folder = tmp_path_factory.mktemp("text")
    for language in text.LANGUAGES:
        files = sorted((ROOT / "data/sample/raw/railway" / language).glob("*.txt"))[:4]
        with lzma.open(folder / f"{language}.txt.xz", "wt", encoding="utf-8") as handle:
            handle.write("\n".join(file.read_text(encoding="utf-8") for file in files))
    return folder


@pytest.fixture(autouse=True)
def little_modern_prose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MODERN_LINES", 20)


@pytest.fixture(scope="module")
def prepared(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[text.PieceStreams, distil.Targets]:
    """Streams of pieces, and vectors of a few words."""
    work = tmp_path_factory.mktemp("work")
    tokenizer, streams = command.prepare(source, work, size=400)
    vectors = command.teacher(source, work, words=20, seed=0)
    return streams, distil.Targets(vectors.words, vectors.vectors, tokenizer)


@pytest.fixture
def targets(prepared: tuple[text.PieceStreams, distil.Targets]) -> distil.Targets:
    return prepared[1]


def new_loop(
    prepared: tuple[text.PieceStreams, distil.Targets], work: Path, recipe: model.Recipe = RECIPE
) -> loop.Loop:
    streams, targets = prepared
    embeddings = torch.randn(len(targets.continues), 16, generator=torch.Generator().manual_seed(0))
    distiller = distil.Distiller(model.build(recipe, embeddings), targets, recipe, mask=4)
    return loop.Loop(distiller, rows.Rows(streams, recipe, cls=2, sep=3), recipe, work, torch.device("cpu"))


def test_whole_words_are_hidden_or_some_of_their_pieces_and_special_pieces_never(targets: distil.Targets) -> None:
    start, *rest = np.flatnonzero(~targets.continues)[5:7].tolist() + np.flatnonzero(targets.continues)[:2].tolist()
    ids = torch.tensor([[2, start, *rest[1:], rest[0], 3]] * 2000)  # [CLS] (a ##b ##c) d [SEP]
    recipe = replace(RECIPE, hidden_words=0.3, half_hidden_words=0.2)
    hidden, whole = targets.hide(ids, recipe, torch.Generator().manual_seed(0))
    assert not hidden[:, [0, 5]].any()
    assert (whole[:, 1:4].all(1) == whole[:, 1:4].any(1)).all()
    assert (hidden | ~whole).all()
    assert 0.25 < whole[:, 1].float().mean() < 0.35
    assert 0.35 < hidden[:, 2].float().mean() < 0.45  # 0.3 whole and half of 0.2
    some = hidden[:, 1:4].any(1) & ~hidden[:, 1:4].all(1)
    assert 0.1 < some.float().mean() < 0.2  # three in four of 0.2


def test_every_piece_is_asked_for_the_word_it_belongs_to(source: Path, tmp_path: Path) -> None:
    tokenizer, _ = command.prepare(source, tmp_path, size=400)
    words = ["министър", "на", "президентът"]
    targets = distil.Targets(words, np.eye(3), tokenizer)
    cut = [tokenizer.encode(w, add_special_tokens=False).ids for w in ("на", "президентът", "zzz", "на", "на")]
    row = np.array([[2, *(i for ids in cut for i in ids)]])
    expected = [-1, *[1] * len(cut[0]), *[2] * len(cut[1]), *[-1] * len(cut[2]), *[1] * len(cut[3])]
    assert targets.find(row)[0].tolist() == [*expected, *[-1] * len(cut[4])]  # the last may be cut


def test_pieces_are_found_whose_sums_are_the_words() -> None:
    random = np.random.default_rng(0)
    truth = random.standard_normal((6, 3)).astype(np.float32)
    words = [[a, b] for a in range(6) for b in range(6)] * 40
    found = pieces.solve(words, np.stack([truth[word].sum(0) for word in words]), 7)
    assert np.abs(found[:6] - truth).max() < 0.1
    assert (found[6] == 0).all()  # no word has it
    embeddings = pieces.embeddings(found, 5, seed=0)
    assert embeddings.shape == (7, 5)
    assert torch.cosine_similarity(embeddings[:6, :3], torch.from_numpy(truth)).median() > 0.9  # beside the noise


def test_a_grown_encoder_says_about_what_the_shallow_one_does(targets: distil.Targets) -> None:
    embeddings = torch.randn(len(targets.continues), 16, generator=torch.Generator().manual_seed(0))
    shallow = model.build(RECIPE, embeddings).eval()
    deep = model.grow(shallow, 5).eval()
    ids = torch.randint(5, 400, (2, 16), generator=torch.Generator().manual_seed(1))
    states = deep(input_ids=ids, output_hidden_states=True).hidden_states
    assert len(states) == 6
    first, last = shallow(input_ids=ids, output_hidden_states=True).hidden_states[1:]
    assert not torch.allclose(first, last, atol=1e-4)
    for grown, wanted in zip(states[1:], [first] * 3 + [last] * 2, strict=True):
        assert torch.allclose(grown, wanted, atol=1e-4)
    for layer in deep.encoder.layer:
        assert layer.attention.self.query.weight.std() > 0.01


def test_a_resumed_run_equals_an_uninterrupted_one(
    prepared: tuple[text.PieceStreams, distil.Targets], tmp_path: Path
) -> None:
    whole = new_loop(prepared, tmp_path / "whole")
    whole.distiller.eval()  # no dropout, as in `run`
    losses = [whole.step(1.0) for _ in range(4)]
    first = new_loop(prepared, tmp_path / "parts")
    first.distiller.eval()
    parts = [first.step(1.0), first.step(1.0)]
    first.save()
    second = new_loop(prepared, tmp_path / "parts")
    second.distiller.eval()
    assert second.resume()
    parts += [second.step(1.0), second.step(1.0)]
    assert parts == losses
    for a, b in zip(whole.weights.values(), second.weights.values(), strict=True):
        assert torch.equal(a, b)
    for name, mean in whole.mean.items():
        assert torch.equal(mean, second.mean[name])
        assert not torch.equal(mean, whole.weights[name])


def test_a_loop_keeps_the_encoder_at_its_marks_and_logs(
    prepared: tuple[text.PieceStreams, distil.Targets], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    monkeypatch.setattr(loop, "MARKS", (0, 15, 16, 17))
    trainer = new_loop(prepared, tmp_path)
    seconds = iter(range(0, 10_000, 10))
    trainer.clock = lambda: next(seconds)  # a step takes 10 seconds
    kept: dict[float, torch.Tensor] = {}
    trainer.keep = lambda mark, bert: kept.update({mark: next(bert.parameters())})
    trainer.run(1.0, before=15.0)
    assert list(kept) == [16]
    assert kept[16].dtype == torch.float16
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert all(0 <= line[name] < 2 for line in lines for name in ("loss", "seen", "hidden"))
    assert lines[0]["loss"] > 0


def test_the_command_writes_an_encoder_that_the_product_loads(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "Recipe", lambda: RECIPE)
    app = typer.Typer()
    app.command()(command.main)
    out, work = tmp_path / "encoder", tmp_path / "work"
    options = [str(source), str(out), "--work", str(work), "--minutes", "0.02", "--pieces", "400", "--words", "20"]
    for _ in range(2):  # the second time there is nothing left to do
        result = CliRunner().invoke(app, options)
        assert result.exit_code == 0, result.output
    encoder = Encoder(out, device=torch.device("cpu"))
    assert (encoder.fingerprint.n_layers, encoder.fingerprint.width, encoder.fingerprint.limit) == (4, 16, 16)
    report = json.loads((out / "pretraining.json").read_text())
    assert all(report["progress"][stage]["step"] >= 1 for stage in ("first", "last"))
    assert report["words"] == 20
    assert set(report["held_out"]) <= set(text.LANGUAGES)
    assert (work / "kept/0000/model.safetensors").exists()


def test_words_of_like_use_have_like_vectors_in_two_scripts() -> None:
    towns, verbs = ("praha", "brno", "москва"), ("řekl", "dodal", "спал")
    lines = [(0, f"včera v {town} ." if town != "москва" else "вчера в москва .") for town in towns] * 20
    lines += [(1, f"on {verb} , že" if verb != "спал" else "он спал , же") for verb in verbs] * 20
    vectors = word_vectors.train(lines, size=3, most=20, contexts=20, least=2, seed=0)
    near = vectors.vectors.astype(np.float32) @ vectors.vectors.astype(np.float32).T
    place = {word: i for i, word in enumerate(vectors.words)}
    assert near[place["praha"], place["brno"]] > 0.95
    assert near[place["praha"], place["москва"]] > 0.95
    assert near[place["praha"], place["řekl"]] < 0.5


def test_pairs_are_counted_within_a_line_and_weighted_by_distance() -> None:
    text_ = word_vectors.number([(0, "a b C"), (1, "c")], most=9, contexts=9, least=1)
    counts = word_vectors.count_pairs(text_).toarray()
    word = {w: i for i, w in enumerate(text_.words)}
    assert set(text_.words) == {"a", "b", "C", "c"}
    assert counts.sum() == 2 * (1 + 1 + 0.5)
    assert counts[word["c"]].sum() == 0
    assert counts[word["a"]].sum() == 1.5
    assert text_.n_contexts == 3  # C and c are one context
    assert text_.languages[word["c"]].tolist() == [0, 1]


def test_a_word_is_compared_with_what_its_own_language_leads_one_to_expect() -> None:
    lines = [(0, "a x")] * 3 + [(1, "b y"), (1, "b z")] * 3
    numbered = word_vectors.number(lines, most=9, contexts=9, least=1)
    values = word_vectors.ppmi(word_vectors.count_pairs(numbered), numbered.languages, smoothing=1.0).toarray()
    word = {w: i for i, w in enumerate(numbered.words)}
    # half of what stands in its language is "x", and all of what stands beside it: twice what chance gives
    assert values[word["a"]].tolist() == pytest.approx([np.log(2) if v else 0 for v in values[word["a"]]])
    assert values[word["a"]].max() > 0
    assert values[word["b"]].max() == pytest.approx(np.log(2))
