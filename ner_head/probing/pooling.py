"""One vector per piece, per word or per sentence, from the features of a sentence."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ner_head.base.errors import UsageError
from ner_head.features.store.pieces import first_pieces
from ner_head.features.store.shard import Features

Pool = Literal["piece", "word", "sentence"]
"""`piece`: as stored, [CLS] first; `word`: the mean of a word's pieces; `sentence`: the mean of pieces but [CLS]."""


def check_pool(pool: str) -> Pool:
    """The pool of this name.

    Raises:
        UsageError: there is none.
    """
    for known in get_args(Pool):
        if pool == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"pool: must be one of {', '.join(get_args(Pool))}, got {pool!r}")


def n_rows(features: Features, pool: Pool) -> int:
    """Number of vectors of a sentence: P, W or 1."""
    counts = {"piece": len(features.piece_ids), "word": int(features.word_of_piece[-1]) + 1, "sentence": 1}
    return counts[pool]


def vectors(features: Features, pool: Pool, layers: range | None = None) -> NDArray[np.float32]:
    """The vectors of a sentence.

    Args:
        features: with P pieces of W words.
        pool: what has one vector.
        layers: numbers of the encoder's layers, K of them; None for all that are stored.
    Returns:
        (P, K, D), (W, K, D) or (1, K, D). Means are computed in float32.
    Raises:
        DataError: not all of the layers are stored.
    """
    chosen = slice(None) if layers is None else features.places(layers)
    hidden: NDArray[np.float32] = np.asarray(features.hidden)[:, chosen].astype(np.float32)
    if pool == "piece":
        return hidden
    if pool == "sentence":
        mean: NDArray[np.float32] = hidden[1:].mean(0, keepdims=True)
        return mean
    starts = first_pieces(features.word_of_piece) - 1
    sums: NDArray[np.float32] = np.add.reduceat(hidden[1:], starts, axis=0)
    sizes = np.diff(starts, append=len(hidden) - 1).astype(np.float32)
    means: NDArray[np.float32] = sums / sizes[:, None, None]
    return means
