"""`python -m encoders.pretraining TEXT OUT --work DIR --minutes N`: resumable from what DIR holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertModel

from encoders.pretraining import distil, loop, model, pieces, rows, text, vocabulary, word_vectors

VECTOR_SIZE = 160


def prepare(texts: Path, work: Path, *, size: int) -> tuple[Tokenizer, text.PieceStreams]:
    """Tokenizer and piece streams, each made once."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "tokenizer.json").exists():
        vocabulary.train_tokenizer(texts, size=size).save(str(work / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    if not (work / "pieces").exists():
        text.encode(texts, tokenizer).save(work / "pieces")
    return tokenizer, text.PieceStreams.load(work / "pieces")


def teacher(texts: Path, work: Path, *, words: int, seed: int) -> word_vectors.Vectors:
    """Vectors of words, made once."""
    if not (work / "words.txt").exists():
        lines = ((text.LANGUAGES.index(source.language), line) for source, line in text.lines(texts))
        word_vectors.train(lines, size=VECTOR_SIZE, most=words, contexts=20_000, least=6, seed=seed).save(work)
    return word_vectors.Vectors.load(work)


def start(targets: distil.Targets, work: Path, recipe: model.Recipe) -> torch.Tensor:
    """Piece embeddings to start from, made once."""
    if not (work / "start.safetensors").exists():
        found = pieces.solve(targets.pieces, targets.vectors.numpy(), len(targets.continues))
        embeddings = pieces.embeddings(found, recipe.hidden_size, seed=recipe.seed)
        save_file({"embeddings": embeddings}, work / "start.safetensors")
    return load_file(work / "start.safetensors")["embeddings"]


def main(
    texts: Annotated[Path, typer.Argument(help="folder with {bg,cs,pl,ru}.txt.xz")],
    out: Annotated[Path, typer.Argument(help="folder of the finished encoder")],
    work: Annotated[Path, typer.Option(help="checkpoints and caches, kept between runs")],
    minutes: Annotated[float, typer.Option(help="of training in all, over every run")] = 240,
    words: Annotated[int, typer.Option(help="words with vectors, at most")] = 400_000,
    size: Annotated[int, typer.Option("--pieces", help="size of the vocabulary")] = 24_000,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
) -> None:
    """Train (or go on training) and write the encoder in the Hugging Face layout, float16."""
    torch.set_num_threads(threads)
    recipe = model.Recipe()
    tokenizer, streams = prepare(texts, work, size=size)
    vectors = teacher(texts, work, words=words, seed=recipe.seed)
    targets = distil.Targets(vectors.words, vectors.vectors, tokenizer)
    cls, sep, mask = (tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[MASK]"))

    def keep(folder: Path, encoder: BertModel) -> None:
        encoder.save_pretrained(folder)
        vocabulary.save_tokenizer(tokenizer, folder, max_length=recipe.row)

    def stage(distiller: distil.Distiller, folder: Path) -> loop.Loop:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        drawn = rows.Rows(streams, recipe, cls=cls, sep=sep)
        trainer = loop.Loop(
            distiller, drawn, recipe, folder, device, keep=lambda mark, bert: keep(work / f"kept/{mark:04.0f}", bert)
        )
        trainer.resume()
        return trainer

    shallow = model.build(recipe, start(targets, work, recipe))
    first = stage(distil.Distiller(shallow, targets, recipe, mask=mask), work / "first")
    first.run(min(minutes, recipe.first_minutes))
    first.settle()
    last = stage(first.distiller.grown(recipe.layers), work / "last")
    last.run(minutes - first.progress.seconds / 60, before=first.progress.seconds / 60)
    last.settle()
    keep(out, last.encoder())
    report = {
        "recipe": asdict(recipe),
        "progress": {"first": asdict(first.progress), "last": asdict(last.progress)},
        "words": len(vectors.words),
        "vector_size": targets.vectors.shape[1],
        "train_pieces_available": {f"{s.language}.{s.kind}": len(ids) for s, ids in streams.train.items()},
        "held_out": last.held_out(rows.held_out_rows(streams, recipe, cls=cls)),
    }
    (out / "pretraining.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    typer.echo(json.dumps(report["held_out"], indent=2))


if __name__ == "__main__":
    typer.run(main)
