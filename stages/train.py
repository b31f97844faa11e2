"""data/features -> models/head, models/last: the head, from shards alone."""

from __future__ import annotations

if __name__ == "__main__":
    from stages import start

    start("train")

import json
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from ner_head.base.errors import DataError
from ner_head.base.files import digest_of
from ner_head.base.params import read_params
from ner_head.base.runtime import RuntimeParams, Show
from ner_head.corpus.documents import Document, read_documents, sentence_id
from ner_head.corpus.results import Temperatures
from ner_head.corpus.segment import SEGMENTATION
from ner_head.evaluation.measures.slices import forms
from ner_head.evaluation.measures.unknown import unknown
from ner_head.features.store.preload import Wanted, preload
from ner_head.features.store.store import FeatureStore
from ner_head.head.model import Head
from ner_head.head.params import HeadParams
from ner_head.inference.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from ner_head.inference.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.held_out import hold_out
from ner_head.training.params import TrainingParams
from ner_head.training.progress import start_watching
from ner_head.training.state import Checkpoint, Epoch, run_key
from ner_head.training.temperatures import fit_temperatures
from ner_head.training.trainer import Trained, Trainer
from stages import PARAMS, PREPARED, REPORTS, warn, write_csv

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
    head = fresh_head(manifest)
    size = sum(p.numel() for p in head.parameters() if p.requires_grad)
    if runtime.progress != "none":
        print(f"{size:,} parameters, {len(train)} train and {len(dev)} dev documents", file=sys.stderr)
    names = [sentence_id(d.key, i) for d in (*train, *dev) for i in range(len(d.sentences))]
    store = preload(store, names, Wanted(head_params.pieces, head.layers), place=runtime.preload, device=device)
    session = Session(params, runtime.progress, device, store)
    first = session.fit(head, manifest, train, dev)
    manifest = finished(manifest, first.trained.best, scored=bool(dev))
    if manifest.training.dev_f1 == 0:
        warn(["dev F1 is 0 in every epoch: the head finds nothing right on dev; check its labels, or train for longer"])
    temperatures, second = session.calibrate(manifest, train)
    write_models(first.trained, manifest.model_copy(update={"temperatures": temperatures}), head)
    write_plots(first.trained, head, scored=bool(dev))
    n_words = sum(len(sentence.words) for document in train for sentence in document.sentences)
    write_report(first.trained, size, n_words, scored=bool(dev))
    for checkpoint in (first.checkpoint, *second):
        checkpoint.discard()


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


def fresh_head(manifest: ModelManifest) -> Head:
    """A head whose weights depend on the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(manifest.training.seed)
        return new_head(manifest)


def finished(manifest: ModelManifest, epoch: Epoch, *, scored: bool) -> ModelManifest:
    """The manifest of the weights after an epoch; `scored`: there is a dev split."""
    score = epoch.dev_f1 if scored else None
    record = manifest.training.model_copy(update={"epoch": epoch.epoch, "dev_f1": score})
    return manifest.model_copy(update={"training": record})


@dataclass(frozen=True)
class Fit:
    """A run that has ended, and the state it would have gone on from."""

    trained: Trained
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Session:
    """What both heads, the one that is saved and the one for its temperatures, are trained with."""

    params: TrainingParams
    progress: Show
    device: torch.device
    store: FeatureStore

    def fit(
        self, head: Head, manifest: ModelManifest, train: list[Document], dev: list[Document], last: int = 0
    ) -> Fit:
        """Run the trainer, from where an interrupted run with the same key stopped."""
        trainer = Trainer(head, manifest.tag_set, manifest.languages, params=self.params, device=self.device)
        documents = " ".join(document.key for document in train)
        key = key_of(manifest.head, self.params, trainer, documents=f"{last} {documents}")
        checkpoint = Checkpoint(UNFINISHED, key)
        sentences = examples(train, manifest.tag_set, manifest.languages)
        n_epochs = last or self.params.epochs
        with closing(start_watching(self.progress, n_epochs, scored=bool(dev))) as watcher:
            trained = trainer.fit(sentences, dev, self.store, watcher=watcher, checkpoint=checkpoint, last=last)
        return Fit(trained, checkpoint)

    def calibrate(self, manifest: ModelManifest, train: list[Document]) -> tuple[Temperatures, list[Checkpoint]]:
        """Fit the temperatures on held-out documents, with a second head that was trained without them.

        The saved head was trained on all documents: those that it knows cannot say how sure it may be.
        """
        kept, held = hold_out(train, self.params.held_out, seed=self.params.seed)
        if not held:
            if self.params.held_out:
                warn(["temperatures: 1.0, as there are too few documents to hold any out of train to fit them on"])
            return Temperatures(), []
        self.tell(f"temperatures: a second head, without {len(held)} of the train documents")
        head = fresh_head(manifest)
        fit = self.fit(head, manifest, kept, [], last=manifest.training.epoch)
        head.load_state_dict(fit.trained.best_weights)
        tagger, new_forms = Tagger(head, manifest.tag_set, self.device), self.params.new_forms
        found = fit_temperatures(
            tagger, held, self.store, manifest.languages, seen=forms(kept), new_forms=new_forms, tell=warn
        )
        self.tell(f"temperatures: {found.spans:.3f} of spans, {found.languages:.3f} of languages")
        return found, [fit.checkpoint]

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


def write_models(trained: Trained, manifest: ModelManifest, head: Head) -> None:
    """The weights of the last epoch and of the best, which the head holds then."""
    for folder, epoch, weights in (
        (LAST, trained.curve[-1], trained.last_weights),
        (BEST, trained.best, trained.best_weights),
    ):
        head.load_state_dict(weights)
        SavedModel(finished(manifest, epoch, scored=manifest.training.dev_f1 is not None), head).save(folder)


def write_plots(trained: Trained, head: Head, *, scored: bool) -> None:
    """Learning curve (without dev, of the loss alone) and layer weights, for `dvc plots show`."""
    curve = [[epoch.epoch, epoch.loss, epoch.dev_f1 if scored else ""] for epoch in trained.curve]
    write_csv(REPORTS / "learning_curve.csv", ["epoch", "loss", "dev_f1"], curve)
    weights = enumerate(head.mix.layer_weights().detach().cpu(), head.layers.start + 1)
    means = [[f"{i:02}", float(w.mean())] for i, w in weights]  # two digits, because the plot sorts layers as text
    write_csv(REPORTS / "layer_weights.csv", ["layer", "weight"], means)


def write_report(trained: Trained, size: int, n_words: int, *, scored: bool) -> None:
    """What the run took, for `dvc metrics` and `dvc exp show`; the F1 of dev where there is one."""
    seconds = median(epoch.seconds for epoch in trained.curve)
    report = {
        "parameters": size,
        "epochs": len(trained.curve),
        "best_epoch": trained.best.epoch,
        **({"dev_f1": trained.best.dev_f1} if scored else {}),
        "seconds_per_epoch": round(seconds, 2),
        "words_per_second": round(n_words / seconds),
    }
    (REPORTS / "training.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
