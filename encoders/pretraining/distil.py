"""Words' vectors into context: every piece learns to know the distributional vector of the word it belongs to.

Masked language modelling gives a frozen reader little in the first hours: one piece in seven is asked for, and the
answer is one of 24,000. Here every word of the vocabulary of `word_vectors` is asked for at each of its pieces, hidden
or not, and the answer is dense: where the word stands among words of similar use. Hidden words have to be told from
context, half hidden ones from both.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

from encoders.pretraining.model import Recipe, grow
from encoders.pretraining.pieces import cut

COMMON = 3_000  # words up to this rank count less, as the root of their rank (frequency falls as 1 / rank)
SPECIAL = 5  # [PAD] [UNK] [CLS] [SEP] [MASK] come first


class Targets:
    """Finds the words of a row of pieces and their vectors."""

    def __init__(self, words: list[str], vectors: NDArray[np.floating], tokenizer: Tokenizer) -> None:
        """Words by falling frequency, with their vectors (N, K)."""
        centred = torch.from_numpy(vectors.astype(np.float32))
        self.vectors = nn.functional.normalize(centred - centred.mean(0), dim=1)
        self.weights = (torch.arange(1, len(words) + 1) / COMMON).sqrt().clamp_max(1)
        self.continues = np.zeros(tokenizer.get_vocab_size(), dtype=bool)
        self.continues[[index for piece, index in tokenizer.get_vocab().items() if piece.startswith("##")]] = True
        self.pieces = cut(words, tokenizer)
        self.index: dict[bytes, int] = {}
        for number, ids in enumerate(self.pieces):
            self.index.setdefault(np.array(ids, dtype=np.int64).tobytes(), number)

    def find(self, rows: NDArray[np.int64]) -> Tensor:
        """(B, P) pieces -> (B, P) the number of each piece's word; -1 for words without a vector and special pieces.

        A row's last word is left out, as it may be cut.
        """
        found = np.full(rows.shape, -1)
        for row, out in zip(rows, found, strict=True):
            starts = np.flatnonzero(~self.continues[row])
            for start, end in itertools.pairwise(starts):
                out[start:end] = self.index.get(row[start:end].tobytes(), -1)
        return torch.from_numpy(found)

    def hide(self, ids: Tensor, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which pieces of (B, P) to hide, and which of them belong to words that are hidden whole."""
        word = torch.from_numpy(~self.continues)[ids].cumsum(1).clamp_max(ids.shape[1] - 1)
        draw = torch.rand(ids.shape, generator=generator).gather(1, word)
        real = ids >= SPECIAL
        whole = (draw < recipe.hidden_words) & real
        partly = (draw >= recipe.hidden_words) & (draw < recipe.hidden_words + recipe.half_hidden_words) & real
        return whole | (partly & (torch.rand(ids.shape, generator=generator) < 0.5)), whole


class Distiller(nn.Module):
    """An encoder and what reads words' vectors off its layers.

    They are asked for in three places, so that the lower layers learn too: a head mixes them all.
    """

    def __init__(self, bert: BertModel, targets: Targets, recipe: Recipe, *, mask: int) -> None:
        super().__init__()
        self.bert, self.targets, self.recipe, self.mask = bert, targets, recipe, mask
        depth = bert.config.num_hidden_layers
        self.layers = sorted({max(1, depth // 4), max(1, depth // 2), depth})
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            size = targets.vectors.shape[1]
            self.readers = nn.ModuleList(nn.Linear(recipe.hidden_size, size) for _ in self.layers)

    def grown(self, layers: int) -> Distiller:
        """The same with more layers, read in the same places."""
        deep = Distiller(grow(self.bert, layers), self.targets, self.recipe, mask=self.mask)
        depth = self.bert.config.num_hidden_layers
        for layer, reader in zip(deep.layers, deep.readers, strict=True):
            stage = -(-layer * depth // layers)
            reader.load_state_dict(self.readers[bisect_left(self.layers, stage)].state_dict())
        return deep

    def forward(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, P) pieces -> the loss, and what is left to learn at the last layer.

        The loss is the mean of 1 - cosine between what pieces say and their words' vectors, over the layers asked;
        then 1 - cosine at the last layer for words that were seen and for words that were hidden, (2,).
        """
        hide, whole = self.targets.hide(ids, self.recipe, generator)
        words = self.targets.find(ids.numpy())
        known = words >= 0
        device = self.bert.device
        gold = self.targets.vectors[words[known]].to(device)
        weights = self.targets.weights[words[known]].to(device)
        inputs = torch.where(hide, self.mask, ids).to(device)
        # Without AMX, products in bfloat16 take four times as long as in float32 on a CPU.
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            hidden = self.bert(input_ids=inputs, output_hidden_states=True).hidden_states
            said = [
                reader(hidden[layer][known.to(device)]) for reader, layer in zip(self.readers, self.layers, strict=True)
            ]
        missing = torch.stack([1 - nn.functional.cosine_similarity(one.float(), gold, dim=1) for one in said])
        loss = (missing.mean(0) * weights).sum() / weights.sum().clamp_min(1e-9)
        with torch.no_grad():
            last, of_hidden = missing[-1] * weights, whole[known].to(device)
            left = [last[part].sum() / weights[part].sum().clamp_min(1e-9) for part in (~of_hidden, of_hidden)]
        return loss, torch.stack(left)
