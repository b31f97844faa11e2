"""Strict dev F1 of heads that differ in a few params, several seeds each: `python -m benchmarks.ablation`.

Run where `dvc repro extract` has run: it trains from data/prepared and data/features with the params there, once as
they are and once for each variant. By default the paper's own ablation, with and without the language classifier:

    python -m benchmarks.ablation head.classifier=0 --seeds 0 1 2

For each variant: F1 by seed, mean and standard deviation, and the mean gain of the params as they are over it, with a
95 % interval over resampled dev documents (the same for both, F1 averaged over seeds).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from ruamel.yaml import YAML

from benchmarks.report import write_results
from ner_head.corpus.documents import Document, read_documents
from ner_head.corpus.segment import SEGMENTATION
from ner_head.evaluation.slices import Tally, f1, interval
from ner_head.features.store import FeatureStore
from ner_head.head.model import HeadParams
from ner_head.params import validate
from ner_head.predictions import predict_from_store
from ner_head.saved_model import ModelManifest, TrainingRecord, new_head
from ner_head.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.trainer import Trainer, TrainingParams

PREPARED, FEATURES = Path("data/prepared"), Path("data/features")
AS_IS = "as it is"


class Bench:
    """The data, and the params as they are."""

    def __init__(self, params: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        self.params: dict[str, Any] = YAML(typ="safe", pure=True).load(params.read_text(encoding="utf-8"))
        self.train, self.dev = (list(read_documents(PREPARED / f"{split}.jsonl")) for split in ("train", "dev"))
        self.store = FeatureStore.open(FEATURES)

    def run(self, changes: Sequence[str], seed: int) -> list[Document]:
        """Train with some changes of the params; the dev documents as predicted by the best epoch."""
        sections = {name: dict(self.params.get(name) or {}) for name in ("head", "training")}
        for change in [*changes, f"training.seed={seed}"]:
            set_param(sections, change)
        head_params = validate(sections["head"], "head", HeadParams)
        params = validate(sections["training"], "training", TrainingParams)
        manifest = ModelManifest(
            scheme=head_params.tags,
            labels=sorted({span.label for document in self.train for span in document.spans}),
            languages=sorted({document.language for document in self.train}),
            segmentation=SEGMENTATION,
            encoder=self.store.manifest.encoder,
            head=head_params,
            training=TrainingRecord(seed=seed, epoch=0, dev_f1=0.0),
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            head = new_head(manifest)
        tag_set, languages, device = manifest.tag_set, manifest.languages, torch.device("cpu")
        trainer = Trainer(head, tag_set, languages, params=params, device=device)
        head.load_state_dict(trainer.fit(examples(self.train, tag_set, languages), self.dev, self.store).state)
        found = predict_from_store(Tagger(head, tag_set, device), self.dev, self.store, languages)
        return [prediction.document for prediction in found]


def set_param(sections: dict[str, Any], change: str) -> None:
    """`head.lstm.hidden=256`, the value as in YAML."""
    path, _, value = change.partition("=")
    *parents, last = path.split(".")
    section = sections
    for parent in parents:
        section[parent] = dict(section.get(parent) or {})
        section = section[parent]
    section[last] = YAML(typ="safe", pure=True).load(value)


def mean_f1(tallies: Sequence[Tally]) -> tuple[np.ndarray, np.ndarray]:
    """Micro F1 of each seed, and the mean over seeds of each resample."""
    each = np.array([f1(tally.counts.sum(axis=0)[0]) for tally in tallies])
    return each, np.mean([f1(tally.resampled()[:, 0]) for tally in tallies], axis=0)


def main() -> None:
    """Train, print a table, and write benchmarks/results/ablation.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", default=["head.classifier=0"], help="changes, joined by commas, each")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    bench = Bench(options.params, options.threads)
    tallies: dict[str, list[Tally]] = {}
    for variant in [AS_IS, *options.variants]:
        for seed in options.seeds:
            found = bench.run([] if variant == AS_IS else variant.split(","), seed)
            tally = Tally.of(bench.dev, found, frozenset())
            tallies.setdefault(variant, []).append(tally)
            print(f"{variant}, seed {seed}: F1 {f1(tally.counts.sum(axis=0)[0]):.4f}", file=sys.stderr)
    whole, drawn = mean_f1(tallies[AS_IS])
    figures = []
    for variant, each in tallies.items():
        seeds, resampled = mean_f1(each)
        low, high = interval(drawn - resampled)
        figures.append(
            {
                "variant": variant,
                "f1": [round(float(value), 4) for value in seeds],
                "mean": round(mean(seeds.tolist()), 4),
                "deviation": round(stdev(seeds.tolist()), 4) if len(seeds) > 1 else 0.0,
                "gain_over_it": round(float(whole.mean() - seeds.mean()), 4),
                "interval": [round(low, 4), round(high, 4)],
            }
        )
    write_results("ablation", {"seeds": options.seeds, "documents": len(bench.dev), "variants": figures})
    print(f"| variant | {' | '.join(f'seed {seed}' for seed in options.seeds)} | mean | deviation | gain of the rest |")
    print("|---" * (4 + len(options.seeds)) + "|")
    for row in figures:
        low, high = row["interval"]
        gain = "" if row["variant"] == AS_IS else f"{row['gain_over_it']:+.3f} ({low:+.3f} to {high:+.3f})"
        cells = [f"{value:.3f}" for value in row["f1"]] + [f"{row['mean']:.3f}", f"{row['deviation']:.3f}", gain]
        print(f"| {row['variant']} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
