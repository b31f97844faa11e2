"""`python -m encoders.pretraining TEXT NEWS OUT --work DIR --minutes N`: resumable from what DIR holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from encoders.pretraining import cooccurrence, distil, mlm, text, vocabulary, word_vectors

NEWS_TIMES = 4  # news is scarce: its words count so often


def prepare(
    texts: Path, news: Path, work: Path, recipe: mlm.Recipe, pieces: int
) -> tuple[Tokenizer, text.PieceStreams]:
    """Tokenizer, piece streams and starting embeddings, each made once."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "tokenizer.json").exists():
        vocabulary.train_tokenizer(texts, news, size=pieces).save(str(work / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    if not (work / "pieces").exists():
        text.encode(texts, news, tokenizer).save(work / "pieces")
    streams = text.PieceStreams.load(work / "pieces")
    if not (work / "start.safetensors").exists():
        size = tokenizer.get_vocab_size()
        counts = sum(np.bincount(ids, minlength=size) for ids in streams.train.values())
        start = cooccurrence.embeddings(
            list(streams.train.values()), size, recipe.hidden_size, seed=recipe.seed, ignore=tuple(range(5))
        )
        unigram = torch.from_numpy(counts / counts.sum()).float()
        unigram[:5] = 0
        save_file({"embeddings": start.contiguous(), "unigram": unigram}, work / "start.safetensors")
    return tokenizer, streams


def teacher(texts: Path, news: Path, work: Path, *, words: int, seed: int) -> word_vectors.Vectors:
    """Vectors of words, made once."""
    if not (work / "words.txt").exists():

        def lines() -> Iterator[str]:
            for source, line in text.lines(texts, news):
                for _ in range(NEWS_TIMES if source.kind == "news" else 1):
                    yield line

        word_vectors.train(lines(), size=160, most=words, contexts=20_000, least=6, seed=seed).save(work)
    return word_vectors.Vectors.load(work)


def main(
    texts: Annotated[Path, typer.Argument(help="folder with {bg,cs,pl,ru}.txt.xz")],
    news: Annotated[Path, typer.Argument(help="folder with {bg,cs,pl,ru}/*.txt, raw news of the training topic")],
    out: Annotated[Path, typer.Argument(help="folder of the finished encoder")],
    work: Annotated[Path, typer.Option(help="checkpoints and caches, kept between runs")],
    minutes: Annotated[float, typer.Option(help="masked language modelling, in all, over every run")] = 60,
    distil_minutes: Annotated[float, typer.Option(help="then learning words' vectors, in all, over every run")] = 60,
    words: Annotated[int, typer.Option(help="words with vectors, at most")] = 400_000,
    pieces: Annotated[int, typer.Option(help="size of the vocabulary")] = 20_000,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 2,
) -> None:
    """Train (or go on training) and write the encoder in the Hugging Face layout, float16."""
    torch.set_num_threads(threads)
    recipe = mlm.Recipe()
    tokenizer, streams = prepare(texts, news, work, recipe, pieces)
    names = [piece for piece, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    start = load_file(work / "start.safetensors")
    model = mlm.build(recipe, len(names), start["unigram"], start["embeddings"])
    cls, sep = names.index("[CLS]"), names.index("[SEP]")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = mlm.Pretrainer(model, mlm.Rows(streams, recipe, cls=cls, sep=sep), recipe, names, work, device)
    trainer.resume()
    trainer.run(minutes)
    losses = mlm.held_out_loss(trainer, streams, start["unigram"], cls=cls)
    vectors = teacher(texts, news, work, words=words, seed=recipe.seed)
    targets = distil.Targets(vectors.words, torch.from_numpy(vectors.vectors), tokenizer)
    second = replace(recipe, rows_per_step=recipe.rows_per_step // 2, masked=0.12, warmup_steps=100, cooldown=0.4)
    rows = mlm.Rows(streams, second, cls=cls, sep=sep)
    distiller = distil.Distiller(model, rows, second, names, work / "distil", device, targets=targets)
    distiller.resume()
    distiller.run(distil_minutes)
    model.to("cpu").half().bert.save_pretrained(out)
    vocabulary.save_tokenizer(tokenizer, out, max_length=recipe.row)
    report = {
        "recipe": asdict(recipe),
        "progress": asdict(trainer.progress),
        "distillation": {"recipe": asdict(second), "progress": asdict(distiller.progress), "words": len(vectors.words)},
        "train_pieces_available": {f"{s.language}.{s.kind}": len(ids) for s, ids in streams.train.items()},
        "held_out_loss": losses,
    }
    (out / "pretraining.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    typer.echo(json.dumps(losses, indent=2))


if __name__ == "__main__":
    typer.run(main)
