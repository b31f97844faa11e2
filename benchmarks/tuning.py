"""Seconds of a training step of the encoder's last N layers: from the cache, and with the whole encoder at every step.

    python -m benchmarks.tuning [--layers 4] [--steps 100] [--precision float32] [--sentences 600] [--device cuda]

All train the same head on the same batches of the sample, in turns, on one thread:

- `frozen`: the last N layers are trained; the lower ones have neither gradients nor dropout
- `dropout`: the same, with dropout in all layers, as after `model.train()`
- `all`: full fine-tuning, embeddings included, with dropout in all layers

Times on a CPU are CPU time, which other processes on the machine lengthen less than wall time. On a GPU they are wall
time until the step is done.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.extraction import sample
from benchmarks.training import BATCH, LANGUAGES
from ner_head.base.params import read_params
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.workers import Workers
from ner_head.features.store.batches import shuffled_batches
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from ner_head.head.params import HeadParams
from ner_head.training.examples import Example, collate, examples
from ner_head.training.objective import joint_loss
from ner_head.training.optimizer import HeadOptimizer
from ner_head.training.params import TrainingParams
from ner_head.training.session import TrainingSession
from ner_head.training.trainer import Trainer

ROOT = Path(__file__).parents[1]
RATE = 1e-4


class Cached:
    """Steps from the cache."""

    def __init__(self, session: TrainingSession, store: FeatureStore) -> None:
        self.store, tags = store, session.manifest.tag_set
        self.trainer = Trainer(session.new_head(), tags, LANGUAGES, params=session.params, device=session.device)
        self.trainer.head.train()

    def step(self, chosen: Sequence[Example]) -> None:
        """Read a batch from the store and train on it."""
        batch = collate(chosen, self.store, self.trainer.tag_set, self.trainer.head)
        self.trainer._step(batch.to(self.trainer.device), RATE)


class Whole:
    """Steps with the whole encoder.

    Args:
        session: of heads without tuned layers.
        store: features; only the piece ids are read.
        encoder: the encoder.
        n_layers: number of last layers that are trained; 0 = the whole encoder.
        dropout: whether the other layers have dropout.
    """

    def __init__(
        self, session: TrainingSession, store: FeatureStore, encoder: Encoder, n_layers: int, *, dropout: bool
    ) -> None:
        self.store, self.encoder, self.device = store, encoder, session.device
        self.dtype, self.tag_set = session.params.dtype(self.device), session.manifest.tag_set
        self.head = session.new_head().to(self.device).train()
        self.optimizer = HeadOptimizer(self.head, betas=(0.9, 0.98), decay=0.01, clip=1.0)
        self.network = encoder.files.load(self.device, dropout=True).train(dropout)
        layers = self.network.get_submodule("network.encoder.layer")
        assert isinstance(layers, nn.ModuleList)
        parts = layers[-n_layers:] if n_layers else [self.network]
        self.trained = [p for part in parts for p in part.train().requires_grad_().parameters()]
        self.adam = torch.optim.AdamW(self.trained, lr=RATE, betas=(0.9, 0.98), fused=True)

    def step(self, chosen: Sequence[Example]) -> None:
        """Run the encoder on a batch and train on it."""
        batch = collate(chosen, self.store, self.tag_set, self.head).to(self.device)
        self.optimizer.prepare(batch.words)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            hidden = self._hidden(chosen)[:, : batch.features.mask.shape[1]]
            output = self.head(hidden, batch.features.mask, batch.steps, batch.words)
            loss = joint_loss(self.head, output, batch.steps, batch.tags, batch.languages)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.adam.step()
        self.adam.zero_grad()
        self.optimizer.step(RATE)

    def _hidden(self, chosen: Sequence[Example]) -> Tensor:
        """(B, P + 1, K, D): states of the layers that the head mixes."""
        pieces = self.encoder.word_pieces
        rows = [[*self.store[example.name].piece_ids.tolist(), pieces.sep] for example in chosen]
        ids = np.full((len(rows), max(map(len, rows))), self.encoder.files.config.padding, dtype=np.int64)
        mask = np.zeros(ids.shape, dtype=np.bool_)
        for row, found in enumerate(rows):
            ids[row, : len(found)], mask[row, : len(found)] = found, True
        every = range(self.encoder.fingerprint.n_layers + 1)
        inputs = (torch.from_numpy(part).to(self.device) for part in (ids, mask))
        states = self.network(*inputs, every)
        return torch.stack([states[number].float() for number in self.head.mixed], 2)


def now(device: torch.device) -> float:
    """CPU seconds of this process; on a GPU wall seconds, after all that was asked of it is done."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def measure(
    n_layers: int, n_steps: int, n_sentences: int, precision: str, device: torch.device
) -> dict[str, float | int | str]:
    """Mean seconds of `n_steps` steps of each, in turns, and the median ratio to the step from the cache."""
    torch.set_num_threads(1)
    head = read_params(ROOT / "params.yaml", "head", HeadParams)
    encoder = Encoder(ROOT / "encoders/multilingual-e5-small", device=device, spec=EncoderSpec())
    documents = sample(n_sentences, "")
    with tempfile.TemporaryDirectory() as folder:
        extract(
            documents,
            encoder,
            encoder_name="e5",
            shard_words=4096,
            batch_pieces=1024,
            pool=Pool(Path(folder) / "pool"),
            output=Path(folder) / "store",
            workers=Workers(show="none"),
            with_weights=True,
        )
        store = FeatureStore.open(Path(folder) / "store")
        cached, whole = (
            TrainingSession(
                documents,
                [],
                store,
                head=head,
                params=TrainingParams.model_validate({"tune_layers": n, "precision": precision}),
                device=device,
            )
            for n in (n_layers, 0)
        )
        contestants: dict[str, Cached | Whole] = {
            "cached": Cached(cached, store),
            "frozen": Whole(whole, store, encoder, n_layers, dropout=False),
            "dropout": Whole(whole, store, encoder, n_layers, dropout=True),
            "all": Whole(whole, store, encoder, 0, dropout=True),
        }
        sentences = examples(documents, cached.manifest.tag_set, LANGUAGES)
        plan = shuffled_batches([store.n_pieces(e.name) for e in sentences], BATCH, seed=0)
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(n_steps + 2):
            chosen = [sentences[i] for i in plan[number % len(plan)]]
            for name, contestant in contestants.items():
                start = now(device)
                contestant.step(chosen)
                seconds[name].append(now(device) - start)
    return {"layers": n_layers, "precision": precision, "steps": n_steps, **figures(seconds, n_steps)}


def figures(seconds: dict[str, list[float]], n_steps: int) -> dict[str, float]:
    """The mean seconds of each, and the median ratio to the step from the cache."""
    found = dict[str, float]()
    for name, times in seconds.items():
        found[name] = round(sum(times[2:]) / n_steps, 4)  # the first steps allocate
        ratios = [b / a for a, b in zip(seconds["cached"][2:], times[2:], strict=True)]
        found[f"{name}_times"] = round(statistics.median(ratios), 2)
    return found


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--sentences", type=int, default=600)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    print(json.dumps(measure(options.layers, options.steps, options.sentences, options.precision, device)))


if __name__ == "__main__":
    main()
