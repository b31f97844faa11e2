"""Sentences -> the inputs of an exported graph. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.tagging import Scheme
from ner_head.features.extraction.passes import Pass
from ner_head.features.store.pieces import Pieces, first_pieces, pad_rows
from ner_head.onnx.files import PieceRecord

Integers = NDArray[np.int64]


@dataclass
class Unit:
    """Sentences and all passes that compute their states; no pass is in two units."""

    passes: list[Pass] = field(default_factory=list)
    sentences: list[int] = field(default_factory=list)

    @property
    def longest(self) -> int:
        """Number of pieces of the longest pass."""
        return max(map(len, self.passes))


def units(passes: Sequence[Pass]) -> list[Unit]:
    """Group passes by their sentences: a pass with several sentences has each of them alone (`plan_passes`)."""
    of_sentence: dict[int, Unit] = {}
    found: list[Unit] = []
    for one in passes:
        unit = of_sentence.get(one.kept[0].sentence)
        if unit is None:
            found.append(unit := Unit(sentences=[kept.sentence for kept in one.kept]))
            of_sentence |= dict.fromkeys(unit.sentences, unit)
        unit.passes.append(one)
    return found


def batches(found: Sequence[Unit], budget: int) -> Iterator[list[Unit]]:
    """Units of similar lengths, with at most `budget` pieces of passes, padding included, or one unit."""
    batch: list[Unit] = []
    for unit in sorted(found, key=lambda unit: unit.longest):
        n_passes = sum(len(one.passes) for one in [*batch, unit])
        if batch and n_passes * unit.longest > budget:
            yield batch
            batch = []
        batch.append(unit)
    if batch:
        yield batch


@dataclass(frozen=True)
class GraphInputs:
    """The inputs of the graph for B sentences, and what decoding needs.

    Attributes:
        members: numbers of the sentences.
        words_of_pieces: B arrays (P,), the word of each kept piece; -1 for [CLS].
        arrays: inputs by name.
    """

    members: list[int]
    words_of_pieces: list[NDArray[np.int32]]
    arrays: dict[str, Integers]

    @property
    def n_steps(self) -> Integers:
        """Number of steps of the CRF of each sentence, (B,)."""
        return self.arrays["n_steps"]


def graph_inputs(
    batch: Sequence[Unit],
    pieces: Sequence[Pieces],
    record: PieceRecord,
    scheme: Scheme,
    word_ids: Sequence[NDArray[np.uint32]] = (),
) -> GraphInputs:
    """The inputs of the graph.

    Args:
        batch: units.
        pieces: word pieces of all sentences.
        record: how text becomes input.
        scheme: of the tags.
        word_ids: hashed features of the words of all sentences (`document_word_ids`).
    """
    members = [sentence for unit in batch for sentence in unit.sentences]
    passes = [one for unit in batch for one in unit.passes]
    width = max(map(len, passes))
    ids, mask = np.full((len(passes), width), record.padding), np.zeros((len(passes), width), np.int64)
    places = {sentence: np.zeros(len(pieces[sentence]), np.int64) for sentence in members}
    ends: dict[int, int] = {}
    for row, one in enumerate(passes):
        ids[row, : len(one)], mask[row, : len(one)] = [record.cls, *one.body, record.sep], 1
        for kept in one.kept:
            place, size = places[kept.sentence], kept.end - kept.start
            place[kept.target : kept.target + size] = row * width + np.arange(kept.start, kept.end)
            if kept.target == 1:
                place[0] = row * width
            if kept.target + size == len(place):
                ends[kept.sentence] = row * width + len(one) - 1
    words = [pieces[sentence].word_of_piece for sentence in members]
    chosen = [kept_pieces(row, record.kept) for row in words]
    words = [row[kept] for row, kept in zip(words, chosen, strict=True)]
    steps = [np.arange(len(row)) if scheme == "iobx" else first_pieces(row) for row in words]
    rows = [places[sentence][kept] for sentence, kept in zip(members, chosen, strict=True)]
    arrays = {
        "ids": ids,
        "mask": mask,
        "pieces": pad_rows(rows)[0],
        "n_pieces": np.array([len(row) for row in rows]),
        "steps": pad_rows(steps)[0],
        "n_steps": np.array([len(row) for row in steps]),
        "separators": np.array([ends[sentence] for sentence in members]),
        "word_of_piece": pad_rows([row.astype(np.int64) for row in words], -1)[0],
    }
    if word_ids:
        arrays["word_features"] = pad_rows([word_ids[sentence].astype(np.int64) for sentence in members])[0]
    return GraphInputs(members, words, arrays)


def kept_pieces(word_of_piece: NDArray[np.int32], kept: str) -> Integers:
    """The pieces that the head reads: all, or [CLS] and the first piece of each word."""
    return np.arange(len(word_of_piece)) if kept == "all" else np.append(0, first_pieces(word_of_piece))
