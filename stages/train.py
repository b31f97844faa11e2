"""data/features -> models/head: the head, from shards alone."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import closing
from pathlib import Path
from statistics import median

import torch

from ner_head.corpus.documents import Document, read_documents, sentence_id
from ner_head.corpus.segment import SEGMENTATION
from ner_head.errors import DataError
from ner_head.features.files import digest_of
from ner_head.features.preload import Wanted, preload
from ner_head.features.store import FeatureStore
from ner_head.head.model import Head, HeadParams
from ner_head.params import read_params
from ner_head.runtime import RuntimeParams
from ner_head.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from ner_head.training.examples import examples
from ner_head.training.progress import start_watching
from ner_head.training.state import Checkpoint, run_key
from ner_head.training.trainer import Trained, Trainer, TrainingParams
from stages import PARAMS, PREPARED, REPORTS, run

BEST, LAST = Path("models/head"), Path("models/last")
FEATURES = Path("data/features")
UNFINISHED = Path("data/training")


def main() -> None:
    """Train on train, choose the epoch on dev, write the best and the last model and the learning curve."""
    head_params = read_params(PARAMS, "head", HeadParams)
    params = read_params(PARAMS, "training", TrainingParams)
    runtime = read_params(PARAMS, "runtime", RuntimeParams)
    device = runtime.start()
    train, dev = (list(read_documents(PREPARED / f"{split}.jsonl")) for split in ("train", "dev"))
    manifest, store = new_manifest(train, head_params, params)
    with torch.random.fork_rng():
        torch.manual_seed(params.seed)
        head = new_head(manifest)
    size = sum(p.numel() for p in head.parameters() if p.requires_grad)
    if runtime.progress != "none":
        print(f"{size:,} parameters, {len(train)} train and {len(dev)} dev documents", file=sys.stderr)
    trainer = Trainer(head, manifest.tag_set, manifest.languages, params=params, device=device)
    checkpoint = Checkpoint(UNFINISHED, key_of(head_params, params, trainer))
    with closing(start_watching(runtime.progress, params.epochs)) as watcher:
        sentences = examples(train, manifest.tag_set, manifest.languages)
        names = [e.name for e in sentences] + [sentence_id(d.key, i) for d in dev for i in range(len(d.sentences))]
        wanted = Wanted(head.pieces, head.layers)
        store = preload(store, names, wanted, place=runtime.preload, device=device)
        trained = trainer.fit(sentences, dev, store, watcher=watcher, checkpoint=checkpoint)
    write_models(trained, manifest, head, params)
    write_plots(trained, head)
    write_report(trained, size, sum(len(sentence.word_tags) for sentence in sentences))
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
        training=TrainingRecord(seed=params.seed, epoch=0, dev_f1=0.0),
    )
    return manifest, store


def key_of(head: HeadParams, params: TrainingParams, trainer: Trainer) -> str:
    """What decides the result: an interrupted run with the same key goes on."""
    files = (PREPARED / "train.jsonl", PREPARED / "dev.jsonl", FEATURES / "manifest.json")
    return run_key(
        {str(path): digest_of(path) for path in files}
        | {"head": head.model_dump_json(), "training": params.model_dump_json()}
        | {"device": trainer.device.type, "precision": str(trainer.dtype), "torch": torch.__version__}
    )


def write_models(trained: Trained, manifest: ModelManifest, head: Head, params: TrainingParams) -> None:
    """The weights of the last epoch and of the best, which the head holds then."""
    for folder, epoch, weights in (
        (LAST, trained.curve[-1], trained.last_weights),
        (BEST, trained.best, trained.best_weights),
    ):
        head.load_state_dict(weights)
        record = TrainingRecord(seed=params.seed, epoch=epoch.epoch, dev_f1=epoch.dev_f1)
        SavedModel(manifest.model_copy(update={"training": record}), head).save(folder)


def write_plots(trained: Trained, head: Head) -> None:
    """Learning curve and layer weights, for `dvc plots show`."""
    REPORTS.mkdir(exist_ok=True)
    with (REPORTS / "learning_curve.csv").open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle, lineterminator="\n")
        rows.writerow(["epoch", "loss", "dev_f1"])
        rows.writerows([e.epoch, f"{e.loss:.6f}", f"{e.dev_f1:.6f}"] for e in trained.curve)
    weights = head.mix.layer_weights().detach().cpu()
    with (REPORTS / "layer_weights.csv").open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle, lineterminator="\n")
        rows.writerow(["layer", "weight"])
        rows.writerows(  # two digits, because the plot sorts layers as text
            [f"{i:02}", f"{float(w.mean()):.6f}"] for i, w in enumerate(weights, head.layers.start + 1)
        )


def write_report(trained: Trained, size: int, n_words: int) -> None:
    """What the run took, for `dvc metrics` and `dvc exp show`."""
    seconds = median(epoch.seconds for epoch in trained.curve)
    report = {
        "parameters": size,
        "epochs": len(trained.curve),
        "best_epoch": trained.best.epoch,
        "dev_f1": trained.best.dev_f1,
        "seconds_per_epoch": round(seconds, 2),
        "words_per_second": round(n_words / seconds),
    }
    (REPORTS / "training.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
