"""Features copied into the memory of the machine or of a GPU, so that training does not read the files each epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ner_head.base.errors import UsageError
from ner_head.base.runtime import Preload
from ner_head.features.store.batches import PieceChoice, ResidentRows, keep_pieces, piece_states, separator_states
from ner_head.features.store.shard import Features
from ner_head.features.store.store import FeatureStore

SHARE = 0.6  # of the free memory; training needs the rest
CHUNK = 1 << 26  # bytes per copy


@dataclass(frozen=True)
class Selection:
    """The hidden states that a head reads of each sentence.

    Attributes:
        pieces: which word pieces.
        layers: numbers of the layers; None for all that are stored.
        separator: whether it reads the states of [SEP] too; then `pieces` is `all`.
    """

    pieces: PieceChoice
    layers: range | None
    separator: bool = False


def preload(
    store: FeatureStore, names: Iterable[str], selection: Selection, *, place: Preload, device: torch.device
) -> FeatureStore:
    """Copy the selected hidden states of some sentences into memory.

    `auto` copies to a GPU if the states fit into its free memory. On a CPU it copies nothing: the system caches the
    mapped files in RAM already, and a second copy is no faster.

    Returns:
        A store with the same sentences; `store` itself if nothing is copied.
    Raises:
        UsageError: `place` is `ram` or `device`, and there is too little memory or the store has several views.
    """
    names = [name for name in names if name in store]
    if not names or place == "none" or (place == "auto" and (device.type != "cuda" or store.manifest.encoder.views)):
        return store
    if store.manifest.encoder.views:
        raise UsageError(f"runtime.preload: {place} holds one view of the features; this store has several")
    n_rows = sum(_length(store, name, selection.pieces) for name in names) + selection.separator * len(names)
    first = _states(store[names[0]], selection)
    size = (n_rows + 1) * first[0].nbytes
    target = torch.device("cpu") if place == "ram" else device
    free = free_memory(target)
    if size > SHARE * free:
        if place == "auto":
            return store
        raise UsageError(
            f"runtime.preload: {place} needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; use auto or none"
        )
    return store.with_resident(_copy(store, names, selection, (n_rows + 1, *first.shape[1:]), target))


def free_memory(device: torch.device) -> float:
    """Free memory of a device in bytes; infinity if the system does not report it."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def _length(store: FeatureStore, name: str, pieces: PieceChoice) -> int:
    return store.n_pieces(name) if pieces == "all" else len(keep_pieces(store[name], pieces).piece_ids)


def _states(sentence: Features, selection: Selection) -> np.ndarray:
    states = piece_states(keep_pieces(sentence, selection.pieces), selection.layers)
    if not selection.separator:
        return states
    return np.concatenate([states, separator_states(sentence, selection.layers)[None]])


def _copy(
    store: FeatureStore, names: list[str], selection: Selection, shape: tuple[int, ...], device: torch.device
) -> ResidentRows:
    """All selected states in one tensor of `shape`; its last row is zeros, for padding."""
    kind = torch.from_numpy(_states(store[names[0]], selection)[:1].copy()).dtype
    rows: Tensor = torch.zeros(shape, dtype=kind, device=device)
    starts: dict[str, int] = {}
    waiting: list[np.ndarray] = []
    done = end = 0
    for name in names:
        starts[name] = end
        waiting.append(_states(store[name], selection))
        end += len(waiting[-1])
        if (end - done) * waiting[-1][0].nbytes >= CHUNK or name == names[-1]:
            rows[done:end] = torch.from_numpy(np.concatenate(waiting)).to(device)
            done, waiting = end, []
    return ResidentRows(rows, starts)
