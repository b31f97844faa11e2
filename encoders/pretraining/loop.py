"""The training loop: resumable, CPU or GPU, encoders kept along the way."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertModel

from encoders.pretraining.distil import Distiller
from encoders.pretraining.model import Recipe
from encoders.pretraining.rows import Rows

MARKS = (0, 15, 30, 60, 90, 120, 180, 240, 360, 480, 720)  # minutes at which an encoder is kept
LOG_EVERY = 100  # steps


@dataclass
class Progress:
    """What a resumed run must know besides tensors."""

    step: int = 0
    seconds: float = 0.0
    pieces: int = 0


class Loop:
    """`run(minutes)` trains until the *total* time, over all runs, is that long.

    Time is the processor's on a CPU, divided by the threads: waiting for others does not count.
    """

    def __init__(
        self,
        distiller: Distiller,
        rows: Rows,
        recipe: Recipe,
        work: Path,
        device: torch.device,
        *,
        keep: Callable[[float, BertModel], None] = lambda minutes, encoder: None,
    ) -> None:
        """`keep` is given the encoder at each of `MARKS` that is passed."""
        self.distiller, self.rows, self.recipe, self.work = distiller.to(device), rows, recipe, work
        self.keep = keep
        self.weights = dict(distiller.named_parameters())
        # The mean of the last steps' weights is the encoder; a cool-down is still better (docs/encoder.md).
        self.mean = {name: weight.detach().clone() for name, weight in self.weights.items()}
        decay = [weight for name, weight in self.weights.items() if weight.ndim > 1 and "word_embeddings" not in name]
        rest = [weight for name, weight in self.weights.items() if weight.ndim <= 1 or "word_embeddings" in name]
        groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)
        self.progress = Progress()
        self.clock: Callable[[], float] = time.perf_counter
        if device.type == "cpu":
            self.clock = lambda: time.process_time() / torch.get_num_threads()

    def rate(self, minutes: float) -> float:
        """Warm-up, plateau, linear cool-down in the last part of the time."""
        left = 1 - self.progress.seconds / (60 * minutes)
        warm = min(1.0, (self.progress.step + 1) / self.recipe.warmup_steps)
        return self.recipe.learning_rate * warm * min(1.0, max(left, 0.0) / self.recipe.cooldown)

    def step(self, minutes: float) -> list[float]:
        """One step of gradient descent; the loss, and what is left to learn of words seen and words hidden."""
        seed = self.recipe.seed * 1_000_003 + self.progress.step
        ids = self.rows.draw(np.random.default_rng(seed))
        loss, left = self.distiller(ids, torch.Generator().manual_seed(seed))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self.weights.values()), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(minutes)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.progress.step += 1
        self.progress.pieces += ids.numel()
        keep = min(self.recipe.averaged, (1 + self.progress.step) / (10 + self.progress.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.mean.values()), list(self.weights.values()), 1 - keep)
        return [float(loss.detach()), *left.tolist()]

    def run(self, minutes: float, *, before: float = 0.0, save_every: float = 240.0) -> None:
        """Train, log, save. `before`: minutes that were trained in another loop, for `MARKS`."""
        self.work.mkdir(parents=True, exist_ok=True)
        self.distiller.train()
        for module in self.distiller.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # far from overfitting, and dropout costs a fifth of the time on a CPU
        if not before and not self.progress.step:
            self.keep(0, self.encoder())
        saved, losses = time.monotonic(), []
        while self.progress.seconds < 60 * minutes:
            start, passed = self.clock(), self.progress.seconds
            losses.append(self.step(minutes))
            self.progress.seconds += self.clock() - start
            if self.progress.step % LOG_EVERY == 0:
                self.log(losses)
                losses = []
            for mark in MARKS:
                if passed < 60 * (mark - before) <= self.progress.seconds:
                    self.keep(mark, self.encoder())
            if time.monotonic() - saved > save_every:
                self.save()
                saved = time.monotonic()
        self.save()

    def log(self, losses: list[list[float]]) -> None:
        """A line of the mean of what `step` returned."""
        names = ("loss", "seen", "hidden")
        means = {name: round(float(value), 4) for name, value in zip(names, np.mean(losses, axis=0), strict=True)}
        with (self.work / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(self.progress) | means) + "\n")

    def save(self) -> None:
        """Weights, their mean, optimizer and progress, each replaced whole; the progress file is written last."""
        self.work.mkdir(parents=True, exist_ok=True)
        state = {
            f"{index}.{key}": value.cpu().reshape(value.shape)
            for index, entry in self.optimizer.state_dict()["state"].items()
            for key, value in entry.items()
        }
        weights = {name: weight.detach().cpu().contiguous() for name, weight in self.weights.items()}
        mean = {name: weight.cpu().contiguous() for name, weight in self.mean.items()}
        for name, tensors in (("weights", weights), ("mean", mean), ("optimizer", state)):
            save_file(tensors, self.work / f"{name}.tmp")
            (self.work / f"{name}.tmp").replace(self.work / f"{name}.safetensors")
        (self.work / "progress.tmp").write_text(json.dumps(asdict(self.progress)), encoding="utf-8")
        (self.work / "progress.tmp").replace(self.work / "progress.json")

    def resume(self) -> bool:
        """Load what `save` wrote; False where there is nothing."""
        if not (self.work / "progress.json").exists():
            return False
        with torch.no_grad():
            for name, own in (("weights", self.weights), ("mean", self.mean)):
                for key, value in load_file(self.work / f"{name}.safetensors").items():
                    own[key].copy_(value)
        whole = self.optimizer.state_dict()
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in load_file(self.work / "optimizer.safetensors").items():
            index, key = name.split(".")
            entries.setdefault(int(index), {})[key] = value
        whole["state"] = entries
        self.optimizer.load_state_dict(whole)
        self.progress = Progress(**json.loads((self.work / "progress.json").read_text(encoding="utf-8")))
        return True

    def settle(self) -> None:
        """Take the mean for the weights: where another loop goes on from."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(self.mean[name])

    def encoder(self) -> BertModel:
        """A float16 copy with the mean weights, on the CPU."""
        bert = copy.deepcopy(self.distiller.bert)
        with torch.no_grad():
            for name, weight in bert.named_parameters():
                weight.copy_(self.mean[f"bert.{name}"])
        return bert.to("cpu").half()

    @torch.no_grad()
    def held_out(self, rows: dict[str, Tensor], *, batch: int = 16) -> dict[str, dict[str, float]]:
        """Per language, what the weights as they are leave to learn (1 - cosine) of words seen and words hidden."""
        result = {}
        for language, ids in rows.items():
            parts = [
                self.distiller(ids[i : i + batch], torch.Generator().manual_seed(i))[1]
                for i in range(0, len(ids), batch)
            ]
            seen, hidden = torch.stack(parts).mean(0).tolist()
            result[language] = {"seen": round(seen, 4), "hidden": round(hidden, 4)}
        return result
