"""Running text as streams of word pieces, split into sources that are sampled at fixed rates."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

LANGUAGES = ("bg", "cs", "pl", "ru")
# The text files are ordered by source, modern prose first; what follows is mostly statutes and old novels.
MODERN_LINES = 30_000
# Share of the training rows: modern prose is scarce and closest to the use, so it is repeated most.
SHARES = {"modern": 0.5, "other": 0.5}
HELD_OUT_EVERY = 200  # one line in so many is kept for the held-out loss


@dataclass(frozen=True)
class Source:
    """Where a run of text comes from: its language and its kind (a key of `SHARES`)."""

    language: str
    kind: str


def lines(text: Path) -> Iterator[tuple[Source, str]]:
    """Yield every line of `text/{language}.txt.xz`."""
    for language in LANGUAGES:
        with lzma.open(text / f"{language}.txt.xz", "rt", encoding="utf-8") as handle:
            for number, line in enumerate(handle):
                yield Source(language, "modern" if number < MODERN_LINES else "other"), line.strip()


@dataclass(frozen=True)
class PieceStreams:
    """One array of piece ids per source, lines closed by [SEP], and the held-out ids per language."""

    train: dict[Source, NDArray[np.uint16]]
    held_out: dict[str, NDArray[np.uint16]]

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for source, ids in self.train.items():
            np.save(directory / f"train.{source.language}.{source.kind}.npy", ids)
        for language, ids in self.held_out.items():
            np.save(directory / f"heldout.{language}.npy", ids)

    @classmethod
    def load(cls, directory: Path) -> PieceStreams:
        """Map the arrays that `save` wrote."""
        train = {}
        for path in sorted(directory.glob("train.*.npy")):
            _, language, kind, _ = path.name.split(".")
            train[Source(language, kind)] = np.load(path, mmap_mode="r")
        held_out = {p.name.split(".")[1]: np.load(p) for p in sorted(directory.glob("heldout.*.npy"))}
        return cls(train, held_out)


def encode(text: Path, tokenizer: Tokenizer, batch: int = 20_000) -> PieceStreams:
    """Turn all text into piece ids once; they are read from disk at every later start."""
    separator = tokenizer.token_to_id("[SEP]")
    train: dict[Source, list[NDArray[np.uint16]]] = {}
    held_out: dict[str, list[NDArray[np.uint16]]] = {}

    def flush(pending: list[tuple[Source, str]]) -> None:
        encodings = tokenizer.encode_batch_fast([line for _, line in pending], add_special_tokens=False)
        for (source, line), encoding in zip(pending, encodings, strict=True):
            ids = np.array([*encoding.ids, separator], dtype=np.uint16)
            if hash_line(line) % HELD_OUT_EVERY == 0:
                held_out.setdefault(source.language, []).append(ids)
            else:
                train.setdefault(source, []).append(ids)

    pending: list[tuple[Source, str]] = []
    for item in lines(text):
        pending.append(item)
        if len(pending) == batch:
            flush(pending)
            pending = []
    flush(pending)
    return PieceStreams(
        {source: np.concatenate(parts) for source, parts in train.items()},
        {language: np.concatenate(parts) for language, parts in held_out.items()},
    )


def hash_line(line: str) -> int:
    """A hash that is the same in every process (`hash` is salted)."""
    value = 2166136261
    for byte in line[:64].encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value
