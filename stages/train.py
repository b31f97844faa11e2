"""data/features -> models/head: the head, from shards alone."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from ner_head.corpus.documents import Document, read_documents
from ner_head.corpus.segment import SEGMENTATION
from ner_head.errors import DataError
from ner_head.evaluation.slices import forms
from ner_head.features.store import FeatureStore
from ner_head.head.model import Head, HeadParams
from ner_head.params import read_params
from ner_head.posterior import Temperatures
from ner_head.runtime import RuntimeParams
from ner_head.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from ner_head.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.held_out import hold_out
from ner_head.training.temperatures import fit_temperatures
from ner_head.training.trainer import Epoch, Trained, Trainer, TrainingParams
from stages import PARAMS, PREPARED, REPORTS, run, write_csv

OUTPUT = Path("models/head")


def main() -> None:
    """Train on train, choose the epoch on dev, write model and learning curve."""
    head_params = read_params(PARAMS, "head", HeadParams)
    params = read_params(PARAMS, "training", TrainingParams)
    device = read_params(PARAMS, "runtime", RuntimeParams).start()
    train, dev = (list(read_documents(PREPARED / f"{split}.jsonl")) for split in ("train", "dev"))
    labels = sorted({span.label for document in train for span in document.spans})
    if not labels:
        raise DataError(f"{PREPARED / 'train.jsonl'}: no entities to learn from")
    store = FeatureStore.open(Path("data/features"))
    languages = sorted({document.language for document in train if document.language != "und"})
    manifest = ModelManifest(
        scheme=head_params.tags,
        labels=labels,
        languages=languages,
        segmentation=SEGMENTATION,
        encoder=store.manifest.encoder,
        head=head_params,
        training=TrainingRecord(seed=params.seed, epoch=0, dev_f1=0.0),
    )
    head = fresh_head(manifest)
    trained = fit(head, manifest, train, dev, store, params=params, device=device)
    head.load_state_dict(trained.state)
    record = TrainingRecord(seed=params.seed, epoch=trained.best.epoch, dev_f1=trained.best.dev_f1)
    manifest = manifest.model_copy(update={"training": record})
    temperatures = calibrate(manifest, train, store, params=params, device=device)
    SavedModel(manifest.model_copy(update={"temperatures": temperatures}), head).save(OUTPUT)
    write_plots(trained, head)


def fresh_head(manifest: ModelManifest) -> Head:
    """A head whose weights depend on the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(manifest.training.seed)
        return new_head(manifest)


def fit(
    head: Head,
    manifest: ModelManifest,
    train: list[Document],
    dev: list[Document],
    store: FeatureStore,
    *,
    params: TrainingParams,
    device: torch.device,
) -> Trained:
    """Run the trainer, a line on standard error per epoch."""
    count = sum(p.numel() for p in head.parameters())
    print(f"{count:,} parameters, {len(train)} train and {len(dev)} dev documents", file=sys.stderr)

    def show(epoch: Epoch) -> None:
        print(
            f"epoch {epoch.epoch}/{params.epochs}: loss {epoch.loss:.3f}, dev F1 {epoch.dev_f1:.3f}, "
            f"{epoch.seconds:.1f} s",
            file=sys.stderr,
        )

    trainer = Trainer(head, manifest.tag_set, manifest.languages, params=params, device=device)
    return trainer.fit(examples(train, manifest.tag_set, manifest.languages), dev, store, show)


def calibrate(
    manifest: ModelManifest,
    train: list[Document],
    store: FeatureStore,
    *,
    params: TrainingParams,
    device: torch.device,
) -> Temperatures:
    """Fit the temperatures on held-out documents, with a second head that was trained without them.

    The saved head was trained on all documents: those that it knows cannot say how sure it may be.
    """
    kept, held = hold_out(train, params.held_out, seed=params.seed)
    if not held:
        return Temperatures()
    print(f"temperatures: a second head, without {len(held)} of the train documents", file=sys.stderr)
    head, tag_set, languages = fresh_head(manifest), manifest.tag_set, manifest.languages
    trainer = Trainer(head, tag_set, languages, params=params, device=device)
    last = manifest.training.epoch
    head.load_state_dict(trainer.fit(examples(kept, tag_set, languages), [], store, last=last).state)
    tagger = Tagger(head, tag_set, device)
    found = fit_temperatures(tagger, held, store, languages, seen=forms(kept), new_forms=params.new_forms)
    print(f"temperatures: {found.spans:.3f} of spans, {found.languages:.3f} of languages", file=sys.stderr)
    return found


def write_plots(trained: Trained, head: Head) -> None:
    """Learning curve and layer weights, for `dvc plots show`."""
    curve = [[epoch.epoch, epoch.loss, epoch.dev_f1] for epoch in trained.curve]
    write_csv(REPORTS / "learning_curve.csv", ["epoch", "loss", "dev_f1"], curve)
    weights = head.mix.layer_weights().detach().cpu()
    means = [[f"{i:02}", float(w.mean())] for i, w in enumerate(weights, 1)]  # the plot sorts them as text
    write_csv(REPORTS / "layer_weights.csv", ["layer", "weight"], means)


if __name__ == "__main__":
    run(main)
