"""Packed rows of pieces to train on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from encoders.pretraining.model import Recipe
from encoders.pretraining.text import SHARES, PieceStreams


class Rows:
    """Draw packed rows [CLS] piece ... [SEP]: languages evenly, kinds of source at `SHARES`."""

    def __init__(self, streams: PieceStreams, recipe: Recipe, *, cls: int, sep: int) -> None:
        self.streams, self.recipe, self.cls, self.sep = streams.train, recipe, cls, sep
        self.sources = list(streams.train)
        rates = np.array([SHARES[s.kind] for s in self.sources])
        self.rates = rates / rates.sum()

    def draw(self, random: np.random.Generator) -> Tensor:
        """(rows, row) piece ids."""
        body = self.recipe.row - 2
        rows = np.full((self.recipe.rows_per_step, self.recipe.row), self.sep, dtype=np.int64)
        rows[:, 0] = self.cls
        for index, chosen in enumerate(random.choice(len(self.sources), size=len(rows), p=self.rates)):
            ids = self.streams[self.sources[chosen]]
            start = int(random.integers(0, len(ids) - 2 * body))
            skip = int(np.argmax(ids[start : start + body] == self.sep))  # begin at a line where one is near
            start += skip + 1 if skip else 0
            rows[index, 1:-1] = ids[start : start + body]
        return torch.from_numpy(rows)


def held_out_rows(streams: PieceStreams, recipe: Recipe, *, cls: int, most: int = 64) -> dict[str, Tensor]:
    """Per language, the first rows [CLS] piece ... of what was kept out of training."""
    body = recipe.row - 1
    found = {}
    for language, ids in streams.held_out.items():
        count = min(most, len(ids) // body)
        if count:
            flat = ids[: count * body].astype(np.int64).reshape(count, body)
            found[language] = torch.from_numpy(np.pad(flat, ((0, 0), (1, 0)), constant_values=cls))
    return found
