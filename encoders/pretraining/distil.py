"""Words' vectors into context: every piece learns to know the distributional vector of the word it belongs to.

Masked language modelling gives a frozen reader little in the first hours: one piece in seven is asked for, and the
answer is one of 24,000. Here every word of the vocabulary of `word_vectors` is asked for at each of its pieces, hidden
or not, and the answer is dense: where the word stands among words of similar use. Hidden words have to be told from
context.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertForMaskedLM

from encoders.pretraining.mlm import Pretrainer, Recipe, Rows

COMMON = 3_000  # words up to this rank count less, as the root of their rank (frequency falls as 1 / rank)
CHUNK = 50_000


class Targets:
    """Finds the words of a row of pieces and their vectors."""

    def __init__(self, words: list[str], vectors: Tensor, tokenizer: Tokenizer) -> None:
        """Words by falling frequency, with their vectors (N, K)."""
        self.vectors = torch.nn.functional.normalize(vectors.float() - vectors.float().mean(0), dim=1)
        self.weights = (torch.arange(1, len(words) + 1) / COMMON).sqrt().clamp_max(1)
        self.continues = np.zeros(tokenizer.get_vocab_size(), dtype=bool)
        self.continues[[index for piece, index in tokenizer.get_vocab().items() if piece.startswith("##")]] = True
        self.index: dict[bytes, int] = {}
        for start in range(0, len(words), CHUNK):
            encodings = tokenizer.encode_batch_fast(words[start : start + CHUNK], add_special_tokens=False)
            for number, encoding in enumerate(encodings, start):
                self.index.setdefault(np.array(encoding.ids, dtype=np.int64).tobytes(), number)

    def find(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B, P) pieces -> (B, P) the number of each piece's word; -1 for words without a vector and special pieces.

        A row's last word is left out, as it may be cut.
        """
        found = np.full(rows.shape, -1)
        for row, out in zip(rows, found, strict=True):
            starts = np.flatnonzero(~self.continues[row])
            for start, end in itertools.pairwise(starts):
                out[start:end] = self.index.get(row[start:end].tobytes(), -1)
        return found


class Distiller(Pretrainer):
    """The loop of `Pretrainer` with another thing to learn."""

    def __init__(
        self,
        model: BertForMaskedLM,
        rows: Rows,
        recipe: Recipe,
        pieces: list[str],
        work: Path,
        device: torch.device,
        *,
        targets: Targets,
    ) -> None:
        """As `Pretrainer`; the model's own output layer gives way to one that says vectors."""
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            model.cls = torch.nn.Linear(recipe.hidden_size, targets.vectors.shape[1])
        super().__init__(model, rows, recipe, pieces, work, device)
        self.targets = targets
        # asked in three places, so that the lower layers learn too: a head mixes them all
        self.layers = sorted({max(1, recipe.layers * third // 3) for third in (1, 2, 3)})

    def draw_loss(self, ids: Tensor, generator: torch.Generator) -> Tensor:
        """Some words hidden, all words asked for."""
        words = torch.from_numpy(self.targets.find(ids.numpy()))
        number = (~self.continues[ids]).cumsum(1).clamp_max(ids.shape[1] - 1)
        hide = torch.rand(ids.shape, generator=generator).gather(1, number) < self.recipe.masked
        inputs = torch.where(hide & (ids >= self.special), self.mask, ids)
        known = words >= 0
        return self.distance(inputs, known, words[known])

    def distance(self, inputs: Tensor, known: Tensor, words: Tensor) -> Tensor:
        """Mean of 1 - cosine between what the pieces say and their words' vectors, over the layers asked."""
        weights = self.targets.weights[words].to(self.device)
        gold = self.targets.vectors[words].to(self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            layers = self.model.bert(input_ids=inputs.to(self.device), output_hidden_states=True).hidden_states
            said = [self.model.cls(layers[layer][known]) for layer in self.layers]
        cosines = torch.stack([torch.nn.functional.cosine_similarity(one.float(), gold, dim=1) for one in said])
        return 1 - (cosines.mean(0) * weights).sum() / weights.sum()
