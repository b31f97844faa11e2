"""data/features -> models/head, models/last: the head, from shards alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Literal

import torch

from ner_head.corpus.documents import Document, read_documents, sentence_id
from ner_head.corpus.segment import SEGMENTATION
from ner_head.errors import DataError
from ner_head.evaluation.slices import forms
from ner_head.evaluation.unknown import unknown
from ner_head.features.files import digest_of
from ner_head.features.preload import Wanted, preload
from ner_head.features.store import FeatureStore
from ner_head.head.committee import AnyHead, Committee
from ner_head.head.model import Head
from ner_head.head.params import HeadParams
from ner_head.params import read_params
from ner_head.posterior import Temperatures
from ner_head.runtime import RuntimeParams, Show
from ner_head.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from ner_head.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.held_out import hold_out
from ner_head.training.params import TrainingParams
from ner_head.training.progress import start_watching
from ner_head.training.state import Checkpoint, Epoch, run_key
from ner_head.training.temperatures import fit_temperatures
from ner_head.training.trainer import Trained, Trainer, strict_f1
from stages import PARAMS, PREPARED, REPORTS, run, warn, write_csv

BEST, LAST = Path("models/head"), Path("models/last")
FEATURES = Path("data/features")
UNFINISHED = Path("data/training")


def main() -> None:
    """Train on train, choose the epoch on dev, write the best and the last model and the learning curve.

    A dev split without gold is no better than none: the last epoch is chosen.
    """
    head_params = read_params(PARAMS, "head", HeadParams)
    params = read_params(PARAMS, "training", TrainingParams)
    runtime = read_params(PARAMS, "runtime", RuntimeParams)
    device = runtime.start()
    train, dev = (list(read_documents(PREPARED / f"{split}.jsonl")) for split in ("train", "dev"))
    if dev and not any(document.spans for document in dev):
        warn(["dev has no gold spans: the model of the last epoch is kept, as without dev"])
        dev = []
    n_sentences = sum(len(document.sentences) for document in train)
    params = params.model_copy(update={"epochs": params.epochs_for(n_sentences)})
    manifest, store = new_manifest(train, head_params, params)
    warn(unknown("dev", dev, manifest.labels, manifest.languages))
    head = fresh_head(manifest, params.seed)
    size = params.committee * sum(p.numel() for p in head.parameters() if p.requires_grad)
    names = [sentence_id(d.key, i) for d in (*train, *dev) for i in range(len(d.sentences))]
    store = preload(store, names, Wanted(head.pieces, head.layers), place=runtime.preload, device=device)
    session = Session(params, runtime.progress, device, store)
    session.tell(f"{size:,} parameters, {len(train)} train and {len(dev)} dev documents")
    fits = session.fit(manifest, train, dev)
    best = session.finished(manifest, fits, dev, which="best")
    if best.manifest.training.dev_f1 == 0:
        warn(["dev F1 is 0 in every epoch: the head finds nothing right on dev; check its labels, or train for longer"])
    temperatures, seconds = session.calibrate(manifest, fits, train)
    for folder, model in ((BEST, best), (LAST, session.finished(manifest, fits, dev, which="last"))):
        SavedModel(model.manifest.model_copy(update={"temperatures": temperatures}), model.head).save(folder)
    runs = [fit.trained for fit in fits]
    write_plots(runs, best.head, scored=bool(dev))
    n_words = sum(len(sentence.words) for document in train for sentence in document.sentences)
    write_report(runs, best.manifest.training, size, n_words)
    for fit in (*fits, *seconds):
        fit.checkpoint.discard()


def new_manifest(
    train: list[Document], head_params: HeadParams, params: TrainingParams
) -> tuple[ModelManifest, FeatureStore]:
    """What the model will be, and the features to make it from."""
    labels = sorted({span.label for document in train for span in document.spans})
    if not labels:
        raise DataError(f"{PREPARED / 'train.jsonl'}: no entities to learn from")
    store = FeatureStore.open(FEATURES)
    manifest = ModelManifest(
        scheme=head_params.tags,
        labels=labels,
        languages=sorted({document.language for document in train if document.language != "und"}),
        segmentation=SEGMENTATION,
        encoder=store.manifest.encoder,
        head=head_params,
        training=TrainingRecord(seed=params.seed, epoch=0),
    )
    return manifest, store


def fresh_head(manifest: ModelManifest, seed: int) -> Head:
    """A head whose weights depend on the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return new_head(manifest)


@dataclass(frozen=True)
class Fit:
    """A head's run that has ended, its seed, and the state it would have gone on from."""

    seed: int
    trained: Trained
    checkpoint: Checkpoint

    def record(self, epoch: Epoch, *, scored: bool) -> TrainingRecord:
        """Of the weights after an epoch; `scored`: there is a dev split."""
        return TrainingRecord(seed=self.seed, epoch=epoch.epoch, dev_f1=epoch.dev_f1 if scored else None)


@dataclass(frozen=True)
class Session:
    """What the heads that are saved, and those for their temperatures, are trained with."""

    params: TrainingParams
    progress: Show
    device: torch.device
    store: FeatureStore

    def fit(
        self, manifest: ModelManifest, train: list[Document], dev: list[Document], lasts: Sequence[int] = ()
    ) -> list[Fit]:
        """Train each head of the model in turn; `lasts` are the epochs that they end after, where not all are run."""
        members = self.params.members()
        fits = []
        for i, (params, last) in enumerate(zip(members, lasts or [0] * len(members), strict=True), 1):
            if len(members) > 1:
                self.tell(f"head {i} of {len(members)}")
            fits.append(self.fit_one(params, manifest, train, dev, last))
        return fits

    def fit_one(
        self, params: TrainingParams, manifest: ModelManifest, train: list[Document], dev: list[Document], last: int
    ) -> Fit:
        """Run the trainer, from where an interrupted run with the same key stopped."""
        head = fresh_head(manifest, params.seed)
        trainer = Trainer(head, manifest.tag_set, manifest.languages, params=params, device=self.device)
        documents = " ".join(document.key for document in train)
        checkpoint = Checkpoint(UNFINISHED, key_of(manifest.head, params, trainer, documents=f"{last} {documents}"))
        sentences = examples(train, manifest.tag_set, manifest.languages)
        with closing(start_watching(self.progress, last or params.epochs, scored=bool(dev))) as watcher:
            trained = trainer.fit(sentences, dev, self.store, watcher=watcher, checkpoint=checkpoint, last=last)
        return Fit(params.seed, trained, checkpoint)

    def finished(
        self, manifest: ModelManifest, fits: Sequence[Fit], dev: list[Document], *, which: Literal["best", "last"]
    ) -> SavedModel:
        """The model of each head's best or last epoch, without temperatures; a committee is scored on dev."""
        heads, records = [], []
        for fit in fits:
            trained, head = fit.trained, fresh_head(manifest, fit.seed).to(self.device)
            head.load_state_dict(trained.best_weights if which == "best" else trained.last_weights)
            heads.append(head)
            records.append(fit.record(trained.best if which == "best" else trained.curve[-1], scored=bool(dev)))
        if len(heads) == 1:
            return SavedModel(manifest.model_copy(update={"training": records[0]}), heads[0])
        tagger = Tagger(Committee(heads), manifest.tag_set, self.device)
        f1 = strict_f1(tagger, dev, self.store, manifest.languages) if dev else None
        record = TrainingRecord(seed=self.params.seed, epoch=max(each.epoch for each in records), dev_f1=f1)
        return SavedModel(manifest.model_copy(update={"training": record, "members": records}), tagger.head)

    def calibrate(
        self, manifest: ModelManifest, fits: Sequence[Fit], train: list[Document]
    ) -> tuple[Temperatures, list[Fit]]:
        """Fit the temperatures on held-out documents, with second heads that were trained without them.

        The saved heads were trained on all documents: those that they know cannot say how sure they may be.
        """
        kept, held = hold_out(train, self.params.held_out, seed=self.params.seed)
        if not held:
            if self.params.held_out:
                warn(["temperatures: 1.0, as there are too few documents to hold any out of train to fit them on"])
            return Temperatures(), []
        what = "a second head" if len(fits) == 1 else f"{len(fits)} second heads"
        self.tell(f"temperatures: {what}, without {len(held)} of the train documents")
        seconds = self.fit(manifest, kept, [], [fit.trained.best.epoch for fit in fits])
        head = self.finished(manifest, seconds, [], which="best").head
        tagger, new_forms = Tagger(head, manifest.tag_set, self.device), self.params.new_forms
        found = fit_temperatures(
            tagger, held, self.store, manifest.languages, seen=forms(kept), new_forms=new_forms, tell=warn
        )
        self.tell(f"temperatures: {found.spans:.3f} of spans, {found.languages:.3f} of languages")
        return found, seconds

    def tell(self, line: str) -> None:
        """A line on standard error, where progress is shown."""
        if self.progress != "none":
            print(line, file=sys.stderr)


def key_of(head: HeadParams, params: TrainingParams, trainer: Trainer, *, documents: str) -> str:
    """What decides the result: an interrupted run with the same key goes on."""
    files = (PREPARED / "train.jsonl", PREPARED / "dev.jsonl", FEATURES / "manifest.json")
    return run_key(
        {str(path): digest_of(path) for path in files}
        | {"head": head.model_dump_json(), "training": params.model_dump_json(), "documents": documents}
        | {"device": trainer.device.type, "precision": str(trainer.dtype), "torch": torch.__version__}
    )


def write_plots(runs: Sequence[Trained], head: AnyHead, *, scored: bool) -> None:
    """Learning curve (without dev, of the loss alone) and layer weights, for `dvc plots show`; means over heads."""
    curve: list[list[object]] = []
    for number in range(1, max(len(trained.curve) for trained in runs) + 1):
        epochs = [trained.curve[number - 1] for trained in runs if number <= len(trained.curve)]
        f1 = fmean(epoch.dev_f1 for epoch in epochs) if scored else ""
        curve.append([number, fmean(epoch.loss for epoch in epochs), f1])
    write_csv(REPORTS / "learning_curve.csv", ["epoch", "loss", "dev_f1"], curve)
    weights = head.layer_weights().cpu()
    means = [[f"{i:02}", float(w.mean())] for i, w in enumerate(weights, head.layers.start + 1)]
    write_csv(REPORTS / "layer_weights.csv", ["layer", "weight"], means)  # two digits: the plot sorts layers as text


def write_report(runs: Sequence[Trained], record: TrainingRecord, size: int, n_words: int) -> None:
    """What the runs took, for `dvc metrics` and `dvc exp show`; the F1 of dev where there is one."""
    seconds = median(epoch.seconds for trained in runs for epoch in trained.curve)
    report = {
        "parameters": size,
        "epochs": max(len(trained.curve) for trained in runs),
        "best_epoch": record.epoch,
        **({"dev_f1": record.dev_f1} if record.dev_f1 is not None else {}),
        "seconds_per_epoch": round(seconds, 2),
        "words_per_second": round(n_words / seconds),
    }
    (REPORTS / "training.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
