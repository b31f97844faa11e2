"""Features that sit in memory, of the machine or of a GPU, instead of being read from the memory maps each epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ner_head.base.errors import UsageError
from ner_head.features.store.batches import Pieces, Resident, keep_pieces
from ner_head.features.store.shard import Features
from ner_head.features.store.store import FeatureStore

Place = Literal["auto", "none", "ram", "device"]
SHARE = 0.6  # of what is free: the rest is for training
CHUNK = 1 << 26  # bytes copied at once


@dataclass(frozen=True)
class Wanted:
    """What a head reads of each sentence."""

    pieces: Pieces
    layers: slice


class PreloadedStore(FeatureStore):
    """A store some of whose sentences are held in one tensor; the others are read as ever."""

    rows: Tensor
    starts: dict[str, int]

    def __getitem__(self, name: str) -> Features:
        found = super().__getitem__(name)
        start = self.starts.get(name)
        if start is None:
            return found
        return Resident(found.hidden, found.piece_ids, found.word_of_piece, rows=self.rows, start=start)


def preload(
    store: FeatureStore, names: Iterable[str], wanted: Wanted, *, place: Place, device: torch.device
) -> FeatureStore:
    """Copy what a head wants of some sentences to where `place` says; the store itself where that is nowhere.

    `auto` is a GPU's memory, where it fits into what is free there. Elsewhere it copies nothing: on a CPU, what the
    system caches of the mapped files is in RAM already, and a second copy is no faster.

    Raises:
        UsageError: `ram` or `device` was asked for, and there is no room, or the store has views.
    """
    names = [name for name in names if name in store]
    if not names or place == "none" or (place == "auto" and (device.type != "cuda" or store.manifest.encoder.views)):
        return store
    if store.manifest.encoder.views:
        raise UsageError(f"runtime.preload: {place} holds one view of the features; this store has several")
    n_rows = sum(_length(store, name, wanted.pieces) for name in names)
    first = _states(store[names[0]], wanted)
    size = (n_rows + 1) * first[0].nbytes
    target = torch.device("cpu") if place == "ram" else device
    free = free_memory(target)
    if size > SHARE * free:
        if place == "auto":
            return store
        raise UsageError(
            f"runtime.preload: {place} needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; use auto or none"
        )
    held = store.sibling()
    held.__class__ = PreloadedStore
    assert isinstance(held, PreloadedStore)
    held.rows, held.starts = _copy(store, names, wanted, (n_rows + 1, *first.shape[1:]), target)
    return held


def free_memory(device: torch.device) -> float:
    """Bytes that are free on a device; infinite where it does not tell."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def _length(store: FeatureStore, name: str, pieces: Pieces) -> int:
    return store.n_pieces(name) if pieces == "all" else len(keep_pieces(store[name], pieces).piece_ids)


def _states(sentence: Features, wanted: Wanted) -> np.ndarray:
    return np.asarray(keep_pieces(sentence, wanted.pieces).hidden)[:, wanted.layers]


def _copy(
    store: FeatureStore, names: list[str], wanted: Wanted, shape: tuple[int, ...], device: torch.device
) -> tuple[Tensor, dict[str, int]]:
    """All states in one tensor, a row of zeros at its end for pads; and where each sentence begins."""
    kind = torch.from_numpy(_states(store[names[0]], wanted)[:1].copy()).dtype
    rows = torch.zeros(shape, dtype=kind, device=device)
    starts: dict[str, int] = {}
    waiting: list[np.ndarray] = []
    done = end = 0
    for name in names:
        starts[name] = end
        waiting.append(_states(store[name], wanted))
        end += len(waiting[-1])
        if (end - done) * waiting[-1][0].nbytes >= CHUNK or name == names[-1]:
            rows[done:end] = torch.from_numpy(np.concatenate(waiting)).to(device)
            done, waiting = end, []
    return rows, starts
