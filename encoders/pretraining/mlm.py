"""Masked language modelling in plain torch: packed rows, whole-word masking, resumable, CPU or GPU."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM

from encoders.pretraining.text import SHARES, PieceStreams


@dataclass(frozen=True)
class Recipe:
    """What decides the model; everything else (device, minutes) only decides how far it gets."""

    hidden_size: int = 192
    layers: int = 12
    heads: int = 4
    row: int = 128
    rows_per_step: int = 32
    learning_rate: float = 1e-3
    warmup_steps: int = 500
    cooldown: float = 0.3  # share of the time in which the rate falls to 0
    weight_decay: float = 0.01
    masked: float = 0.2  # share of the words
    seed: int = 0


def build(recipe: Recipe, vocabulary: int, unigram: Tensor, embeddings: Tensor) -> BertForMaskedLM:
    """A BERT whose embeddings and output bias start from the text's statistics."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.hidden_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=4 * recipe.hidden_size,
        max_position_embeddings=recipe.row,
        type_vocab_size=2,
        attn_implementation="sdpa",
    )
    torch.manual_seed(recipe.seed)
    model = BertForMaskedLM(config)
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.copy_(embeddings)
        model.cls.predictions.bias.copy_(unigram.clamp_min(1e-8).log())
        for layer in model.bert.encoder.layer:  # small residual branches keep 12 post-norm layers stable
            for branch in (layer.attention.output.dense, layer.output.dense):
                branch.weight.mul_(1 / math.sqrt(2 * recipe.layers))
    return model


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


def mask_words(
    ids: Tensor, continues: Tensor, special: int, mask: int, share: float, vocabulary: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Hide whole words: 80 % [MASK], 10 % a random piece, 10 % as it stands. Returns inputs and where to predict."""
    real = ids >= special
    word = (~continues[ids]).cumsum(1)
    draws = torch.rand(ids.shape, generator=generator)
    chosen = draws.gather(1, word.clamp_max(ids.shape[1] - 1)) < share
    chosen &= real
    how = torch.rand(ids.shape, generator=generator)
    noise = torch.randint(special, vocabulary, ids.shape, generator=generator)
    inputs = torch.where(chosen & (how < 0.8), mask, ids)
    return torch.where(chosen & (how > 0.9), noise, inputs), chosen


@dataclass
class Progress:
    """What a resumed run must know besides tensors."""

    step: int = 0
    seconds: float = 0.0
    pieces: int = 0


class Pretrainer:
    """The loop. `run(minutes)` trains until the *total* time, over all runs, is that long."""

    def __init__(
        self, model: BertForMaskedLM, rows: Rows, recipe: Recipe, pieces: list[str], work: Path, device: torch.device
    ) -> None:
        self.model, self.rows, self.recipe, self.work, self.device = model.to(device), rows, recipe, work, device
        self.continues = torch.tensor([piece.startswith("##") for piece in pieces])
        self.vocabulary, self.mask, self.special = len(pieces), pieces.index("[MASK]"), 5
        decay = [p for p in model.parameters() if p.ndim > 1]
        flat = [p for p in model.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": flat, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), eps=1e-6)
        self.progress = Progress()

    def loss(self, ids: Tensor, inputs: Tensor, chosen: Tensor) -> Tensor:
        """Mean cross-entropy (nats) over the hidden pieces; the vocabulary is scored only there."""
        ids, inputs, chosen = (x.to(self.device) for x in (ids, inputs, chosen))
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            hidden = self.model.bert(input_ids=inputs).last_hidden_state[chosen]
            scores = self.model.cls(hidden)
        return torch.nn.functional.cross_entropy(scores.float(), ids[chosen])

    def rate(self, minutes: float) -> float:
        """Warm-up, plateau, linear cool-down in the last part of the time."""
        left = 1 - self.progress.seconds / (60 * minutes)
        warm = min(1.0, (self.progress.step + 1) / self.recipe.warmup_steps)
        return self.recipe.learning_rate * warm * min(1.0, max(left, 0.0) / self.recipe.cooldown)

    def draw_loss(self, ids: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of fresh rows (B, P): some words hidden, those asked for."""
        inputs, chosen = mask_words(
            ids, self.continues, self.special, self.mask, self.recipe.masked, self.vocabulary, generator
        )
        return self.loss(ids, inputs, chosen)

    def step(self, minutes: float) -> float:
        """One step of gradient descent; the loss in nats."""
        seed = self.recipe.seed * 1_000_003 + self.progress.step
        ids = self.rows.draw(np.random.default_rng(seed))
        generator = torch.Generator().manual_seed(seed)
        loss = self.draw_loss(ids, generator)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(minutes)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.progress.step += 1
        self.progress.pieces += ids.numel()
        return float(loss.detach())

    def run(self, minutes: float, *, save_every: float = 240.0) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # far from overfitting, and dropout costs a fifth of the time on a CPU
        saved, losses = time.monotonic(), []
        while self.progress.seconds < 60 * minutes:
            start = time.monotonic()
            losses.append(self.step(minutes))
            self.progress.seconds += time.monotonic() - start
            if self.progress.step % 100 == 0:
                line = asdict(self.progress) | {"loss": sum(losses) / len(losses)}
                with (self.work / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(line) + "\n")
                losses = []
            if time.monotonic() - saved > save_every:
                self.save()
                saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Model, optimizer and progress, each replaced whole; the progress file is written last."""
        self.work.mkdir(parents=True, exist_ok=True)
        model = {name: tensor.contiguous().cpu() for name, tensor in self.model.named_parameters()}
        state = {
            f"{index}.{key}": value.cpu().reshape(value.shape)
            for index, entry in self.optimizer.state_dict()["state"].items()
            for key, value in entry.items()
        }
        for name, tensors in (("model", model), ("optimizer", state)):
            save_file(tensors, self.work / f"{name}.tmp")
            (self.work / f"{name}.tmp").replace(self.work / f"{name}.safetensors")
        (self.work / "progress.tmp").write_text(json.dumps(asdict(self.progress)), encoding="utf-8")
        (self.work / "progress.tmp").replace(self.work / "progress.json")

    def resume(self) -> bool:
        """Load what `save` wrote; False where there is nothing."""
        if not (self.work / "progress.json").exists():
            return False
        self.model.load_state_dict(load_file(self.work / "model.safetensors"), strict=False)
        whole = self.optimizer.state_dict()
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in load_file(self.work / "optimizer.safetensors").items():
            index, key = name.split(".")
            entries.setdefault(int(index), {})[key] = value
        whole["state"] = entries
        self.optimizer.load_state_dict(whole)
        self.progress = Progress(**json.loads((self.work / "progress.json").read_text(encoding="utf-8")))
        return True


@torch.no_grad()
def held_out_loss(
    trainer: Pretrainer, streams: PieceStreams, unigram: Tensor, *, cls: int, rows: int = 128
) -> dict[str, dict[str, float]]:
    """Per language: cross-entropy (nats a piece) of the model and of the unigram model on the same hidden pieces."""
    trainer.model.eval()
    body = trainer.recipe.row - 1
    result: dict[str, dict[str, float]] = {}
    for language, ids in streams.held_out.items():
        count = min(rows, len(ids) // body)
        flat: NDArray[np.int64] = ids[: count * body].astype(np.int64).reshape(count, body)
        table = torch.from_numpy(np.pad(flat, ((0, 0), (1, 0)), constant_values=cls))
        generator = torch.Generator().manual_seed(0)
        inputs, chosen = mask_words(
            table,
            trainer.continues,
            trainer.special,
            trainer.mask,
            trainer.recipe.masked,
            trainer.vocabulary,
            generator,
        )
        weights = [int(chosen[i : i + 32].sum()) for i in range(0, count, 32)]
        losses = [
            float(trainer.loss(table[i : i + 32], inputs[i : i + 32], chosen[i : i + 32])) for i in range(0, count, 32)
        ]
        model = sum(w * x for w, x in zip(weights, losses, strict=True)) / sum(weights)
        plain = float(-unigram.clamp_min(1e-8).log()[table[chosen]].mean())
        result[language] = {"model": model, "unigram": plain, "pieces": float(sum(weights))}
    trainer.model.train()
    return result
