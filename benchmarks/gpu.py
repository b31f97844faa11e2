"""Speed on a GPU, in one table: extraction, the paper's head on cached features, tuned layers, the CRF.

    python -m benchmarks.gpu                          # a machine with CUDA, 40 GB of disk, an hour at most
    python -m benchmarks.gpu --device cpu --tiny      # the script itself, in half a minute; its figures mean nothing

Goals are for one H200: 80 epochs of the paper's head over 900,000 pieces of 12 x 768 in under 10 minutes (the paper:
5 hours), within 3 GB where features are streamed. `--epochs` of the 80 are run; the time is scaled.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import tuning
from benchmarks.extraction import random_encoder, sample
from benchmarks.machine import Machine
from benchmarks.random_store import random_examples, random_store
from benchmarks.report import write_results
from ner_head.base.runtime import Preload
from ner_head.features.extraction.encode import split_words
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.passes import plan_passes
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.words import words_of
from ner_head.features.extraction.workers import Workers
from ner_head.features.store.batches import length_batches, shuffled_batches
from ner_head.features.store.preload import Selection, preload
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from ner_head.head.model import build_head
from ner_head.head.params import AttentionParams, HeadParams, LstmParams
from ner_head.training.examples import Example, collate
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer

LABELS, LANGUAGES = ["EVT", "LOC", "ORG", "PER", "PRO"], ["bg", "cs", "pl", "ru"]
EPOCHS = 80
Row = tuple[str, str, str]  # what, figure, goal


def extraction(machine: Machine, folder: Path, n_sentences: int, batch_pieces: int) -> list[Row]:
    """Pieces a second of a bfloat16 encoder, into shards, and its share of the bare forward passes."""
    random_encoder(folder / "encoder")
    encoder = Encoder(folder / "encoder", device=machine.device, spec=EncoderSpec(compute="bfloat16"))
    documents = sample(n_sentences, "")
    words = words_of(documents, spaces=encoder.word_pieces.marks_spaces)
    ids = [[p.ids for p in document] for document in split_words(words, encoder)]
    passes = plan_passes(ids, context="sentence", capacity=encoder.fingerprint.limit - 2)
    batches = []
    for run in length_batches([len(p) for p in passes], batch_pieces):
        longest = len(passes[run.stop - 1])
        mask = torch.arange(longest) < torch.tensor([len(passes[i]) for i in run])[:, None]
        batches.append((torch.ones(mask.shape, dtype=torch.long, device=machine.device), mask.to(machine.device)))
    runs = iter(range(100))

    @torch.inference_mode()
    def bare() -> None:
        with torch.autocast(machine.device.type, torch.bfloat16):
            for tokens, mask in batches:
                encoder.model(tokens, mask, encoder.layers)

    def whole() -> None:
        place = folder / f"shards{next(runs)}"
        extract(
            documents,
            encoder,
            encoder_name="random",
            shard_words=4096,
            batch_pieces=batch_pieces,
            pool=Pool(place / "pool"),
            output=place,
            workers=Workers(show="none"),
        )

    bare()
    best = [min(machine.seconds(way) for _ in range(2)) for way in (bare, whole)]
    n_pieces = sum(len(sentence) for document in ids for sentence in document)
    return [
        ("extraction, 12 x 768, bfloat16", f"{n_pieces / best[1]:,.0f} pieces/s", ""),
        ("share of the bare encoder", f"{best[0] / best[1]:.2f}", "0.8"),
    ]


class Training:
    """The paper's head over a random store."""

    def __init__(self, machine: Machine, store: FeatureStore, params: HeadParams) -> None:
        self.machine, self.store, self.params, self.tag_set = machine, store, params, params.tag_set(LABELS)
        self.sentences = random_examples(store, self.tag_set, len(LANGUAGES))

    def trainer(self, precision: str) -> Trainer:
        """A fresh one; the same seed each time."""
        torch.manual_seed(0)
        record = self.store.manifest.encoder
        head = build_head(
            self.params, n_layers=record.n_layers, width=record.width, tag_set=self.tag_set, languages=LANGUAGES
        )
        settings = {"epochs": EPOCHS, "learning_rate": 1e-4, "betas": (0.8, 0.9), "precision": precision}
        params = TrainingParams.model_validate(settings)
        return Trainer(head, self.tag_set, LANGUAGES, params=params, device=self.machine.device)

    def batches(self, trainer: Trainer, seed: int) -> list[list[Example]]:
        """One epoch."""
        lengths = [trainer.length(sentence, self.store) for sentence in self.sentences]
        return [[self.sentences[i] for i in batch] for batch in shuffled_batches(lengths, 16, seed=seed)]

    def epochs(self, place: Preload, n_epochs: int) -> list[Row]:
        """Seconds of 80 epochs with the features resident or streamed, and the memory that they take."""
        trainer = self.trainer("auto")
        wanted = Selection(trainer.head.pieces, trainer.head.layers)
        with self.machine.peak() as peak:
            store = preload(self.store, [s.name for s in self.sentences], wanted, place=place, device=trainer.device)
            trainer.train_epoch(self.batches(trainer, 0)[:20], store, 1)  # digests, kernels
            seconds = [
                self.machine.seconds(lambda n=n: trainer.train_epoch(self.batches(trainer, n), store, n))
                for n in range(1, n_epochs + 1)
            ]
        how = "resident" if place == "device" else "streamed"
        each = ", ".join(f"{s:.1f}" for s in seconds)
        n_pieces = sum(self.store.n_pieces(sentence.name) for sentence in self.sentences)
        total = EPOCHS * statistics.mean(seconds)
        return [
            (f"{EPOCHS} epochs, {n_pieces:,} pieces, {how}", f"{total:,.0f} s (epochs: {each} s)", "600 s"),
            (f"GPU memory, {how}", f"{peak[0]:.2f} GB", "" if place == "device" else "3 GB"),
        ]

    def agreement(self, n_steps: int) -> Row:
        """How far losses in mixed precision are from float32's, step by step, from the same weights and dropout."""
        losses = {}
        for precision in ("float32", "bfloat16"):
            trainer = self.trainer(precision)
            trainer.head.train()
            losses[precision] = []
            for step, chosen in enumerate(self.batches(trainer, 0)[:n_steps]):
                torch.manual_seed(step)
                batch = collate(chosen, self.store, self.tag_set, trainer.head).to(trainer.device)
                losses[precision].append(float(trainer._step(batch, 1e-4)))
        pairs = zip(losses["float32"], losses["bfloat16"], strict=True)
        return (
            f"loss in bfloat16 against float32, {n_steps} steps",
            f"{max(abs(a - b) / a for a, b in pairs):.2%}",
            "2 %",
        )

    def step(self) -> list[Row]:
        """What is inside of one step: waits, kernels, the LSTM's own."""
        trainer = self.trainer("auto")
        trainer.head.train()
        chosen = self.batches(trainer, 0)[0]
        batch = collate(chosen, self.store, self.tag_set, trainer.head).to(trainer.device)
        trainer._step(batch, 1e-4)
        self.machine.wait()
        with self.machine.questions() as questions:
            trainer._step(batch, 1e-4)
        activities = [torch.profiler.ProfilerActivity.CPU]
        if self.machine.cuda:
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        with torch.profiler.profile(activities=activities) as profile:
            trainer._step(batch, 1e-4)
            self.machine.wait()
        names = [event.name for event in profile.events()]
        lstm = sorted({name for name in names if "cudnn_rnn" in name or "mkldnn_rnn_layer" in name})
        launches = sum("LaunchKernel" in name for name in names)
        return [
            (
                "one step",
                f"{self.machine.milliseconds(lambda: trainer._step(batch, 1e-4)):.2f} ms, {launches} kernels",
                "",
            ),
            ("host waits for the GPU in a step", str(len(questions)), "0"),
            ("LSTM", ", ".join(lstm), "cudnn"),
        ]


def tuned(machine: Machine, n_layers: int, n_steps: int, n_sentences: int) -> list[Row]:
    """A step of the encoder's last layers from the cache, and with the whole encoder at each step."""
    found = tuning.measure(n_layers, n_steps, n_sentences, "auto", machine.device)
    others = {
        "frozen": "the whole encoder, lower layers frozen",
        "dropout": "the same, with dropout",
        "all": "full fine-tuning",
    }
    return [
        (f"step with tune_layers: {n_layers}, default head", f"{1e3 * float(found['cached']):.1f} ms", ""),
        *(
            (f"{what}, against it", f"x {found[f'{name}_times']}", "2" if name == "frozen" else "")
            for name, what in others.items()
        ),
    ]


def crf(machine: Machine, n_sentences: int, n_pieces: int) -> list[Row]:
    """Loss + backward and decoding against pytorch-crf, on the device."""
    import torchcrf

    from benchmarks.crf import N_BEST, Batch, iobx_crf, keep_n_everywhere

    batch, device = Batch(n_sentences, n_pieces, None), machine.device
    emissions = batch.emissions.detach().to(device).requires_grad_()
    fixed, tags, mask = emissions.detach(), batch.tags.to(device), batch.mask.to(device)
    ours, peer = iobx_crf().to(device), torchcrf.CRF(14, batch_first=True).to(device)
    scores = [score.detach() for score in (ours.transitions, ours.start, ours.end)]
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "loss": (
            lambda: (-ours.log_likelihood(emissions, tags, mask).sum()).backward(),
            lambda: (-peer(emissions, tags, mask)).backward(),
        ),
        "1-best": (lambda: ours.decode(fixed, mask), lambda: peer.decode(fixed, mask)),
    }
    rows = []
    for name, (mine, theirs) in pairs.items():
        a, b = machine.milliseconds(mine), machine.milliseconds(theirs)
        what = f"CRF {name}, {n_sentences} x {n_pieces}, against pytorch-crf"
        rows.append((what, f"{a:.2f} ms, {b:.2f} ms: x {b / a:.1f}", ""))
    best = machine.milliseconds(lambda: ours.decode(fixed, mask, n=N_BEST))
    peer_best = machine.milliseconds(
        lambda: keep_n_everywhere(fixed.cpu(), mask.cpu(), *(s.cpu() for s in scores), N_BEST), repeats=3
    )
    what = f"CRF {N_BEST}-best, {n_sentences} x {n_pieces}, against NCRF++'s on the host"
    return [*rows, (what, f"{best:.2f} ms, {peer_best:.2f} ms: x {peer_best / best:.1f}", "")]


def main() -> None:
    """Measure, print one table, and write benchmarks/results/gpu.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes for a test of this script")
    parser.add_argument("--pieces", type=int, default=900_000)
    parser.add_argument("--epochs", type=int, default=4, help="of the 80")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("error: no CUDA device on this machine; `--device cpu --tiny` tests the script itself")
    machine, tiny = Machine(options.device), options.tiny
    params = HeadParams.paper()
    if tiny:
        params = params.model_copy(
            update={"lstm": LstmParams(hidden=16), "attention": AttentionParams(heads=2, key_size=8), "projection": 16}
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = extraction(machine, folder, 8 if tiny else 2000, 256 if tiny else 8192)
        sizes = (2000, 3, 16) if tiny else (options.pieces, 12, 768)
        training = Training(machine, random_store(folder / "random", *sizes), params)
        n_epochs = 1 if tiny else options.epochs
        for place in ("device", "none") if machine.cuda else ("none",):
            rows += training.epochs(place, n_epochs)
        rows += [training.agreement(3 if tiny else 20), *training.step()]
    rows += tuned(machine, 4, *((2, 20) if tiny else (100, 600)))
    rows += crf(machine, 4 if tiny else 16, 16 if tiny else 128)
    device = torch.cuda.get_device_name() if machine.cuda else "CPU"
    print(f"| {device} | | goal |\n|---|---|---|")
    print("\n".join(f"| {what} | {figure} | {goal} |" for what, figure, goal in rows))
    if not tiny:
        print(f"\n{write_results('gpu', {'device': device, 'rows': rows}, ('torch', 'pytorch-crf'))}")


if __name__ == "__main__":
    main()
