"""Words a second of a cached epoch, against the encoder at every step, flair, and the rate of matrix products.

    python -m benchmarks.training [--threads 1] [--flair PYTHON] [--sentences 600]

Contestants take turns; each figure is the best turn. The encoder of the first table is a 12 x 768 BERT with random
weights and the bundled tokenizer; both contestants train on the same batches. flair runs in an environment of its own
(PYTHON, `make bench` makes one), with the same encoder folder, sentences, batch, BiLSTM and CRF.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.extraction import random_encoder, sample
from benchmarks.report import write_results
from ner_head.base.params import read_params
from ner_head.corpus.documents import Document, word_spans
from ner_head.corpus.tagging import TagSet
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.workers import Workers
from ner_head.features.store.batches import shuffled_batches
from ner_head.features.store.store import FeatureStore
from ner_head.head.model import build_head
from ner_head.head.params import AttentionParams, HeadParams, LstmParams, WordParams
from ner_head.training.examples import Batch, Example, collate, examples
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer

LABELS, LANGUAGES = ["EVT", "LOC", "ORG", "PER", "PRO"], ["bg", "cs", "pl", "ru"]
BATCH = 16
BARS = {"recomputed": {"paper": 3, "default": 8}, "flair": 3, "matrix products": 0.5}


@dataclass(frozen=True)
class Corpus:
    """Sentences, their features, and how long it took to extract them."""

    documents: list[Document]
    encoder: Encoder
    store: FeatureStore
    seconds: float

    @classmethod
    def make(cls, documents: list[Document], encoder: Encoder, folder: Path) -> Corpus:
        """Extract."""
        start = time.perf_counter()
        extract(
            documents,
            encoder,
            encoder_name=str(encoder.folder),
            shard_words=4096,
            batch_pieces=1024,
            pool=Pool(folder / "pool"),
            output=folder / "store",
            workers=Workers(show="none"),
        )
        return cls(documents, encoder, FeatureStore.open(folder / "store"), time.perf_counter() - start)


class Contest:
    """One head over the sentences of a corpus."""

    def __init__(self, corpus: Corpus, params: HeadParams, n_batches: int = 0) -> None:
        tag_set = params.tag_set(LABELS)
        record = corpus.store.manifest.encoder
        torch.manual_seed(0)
        head = build_head(params, n_layers=record.n_layers, width=record.width, tag_set=tag_set, languages=LANGUAGES)
        self.corpus, self.params = corpus, params
        device = torch.device("cpu")
        self.trainer = Trainer(head, tag_set, LANGUAGES, params=TrainingParams(epochs=10_000), device=device)
        sentences = examples(corpus.documents, tag_set, LANGUAGES)
        plan = shuffled_batches([self.trainer.length(e, corpus.store) for e in sentences], BATCH, seed=1)
        self.batches = [[sentences[i] for i in batch] for batch in plan[: n_batches or None]]
        self.words = sum(len(e.word_tags) for batch in self.batches for e in batch)
        self.pieces = sum(corpus.store.n_pieces(e.name) for batch in self.batches for e in batch)

    def cached(self) -> float:
        """Seconds of an epoch from the store."""
        start = time.perf_counter()
        self.trainer.train_epoch(self.batches, self.corpus.store, 1)
        return time.perf_counter() - start

    def recomputed(self) -> float:
        """Seconds of the same epoch with the encoder at every step."""
        prepared = [(self._pieces(chosen), self._batch(chosen)) for chosen in self.batches]
        self.trainer.head.train()
        start = time.perf_counter()
        for bodies, batch in prepared:
            states = torch.from_numpy(self.corpus.encoder.forward(bodies).values)[:, : batch.features.mask.shape[1]]
            features = replace(batch.features, hidden=states)
            self.trainer._step(replace(batch, features=features), 1e-4)
        self.trainer.optimizer.settle()
        return time.perf_counter() - start

    def _pieces(self, chosen: Sequence[Example]) -> list[Any]:
        return [self.corpus.store[example.name].piece_ids[1:] for example in chosen]

    def _batch(self, chosen: Sequence[Example]) -> Batch:
        return collate(chosen, self.corpus.store, self.trainer.tag_set, self.trainer.head)

    def products(self) -> float:
        """Floating-point operations of the epoch's matrix products: forward, and twice that for the gradients."""
        record, total = self.corpus.store.manifest.encoder, 0.0
        for batch in self.batches:
            for example in batch:
                n_pieces, n_words = self.corpus.store.n_pieces(example.name), len(example.word_tags)
                positions = n_pieces if self.params.pieces == "all" else n_words + 1
                steps = n_pieces if self.params.tags == "iobx" else n_words
                total += forward_products(self.params, record.width, positions, steps)
        return 3 * total


def forward_products(params: HeadParams, width: int, positions: int, steps: int) -> float:
    """Operations of one sentence's products with weights, and of attention's two; the mix is not counted."""
    width, total = width + params.words.width, 0.0
    for _ in range(params.lstm.layers):
        total += positions * 2 * 4 * 2 * params.lstm.hidden * (width + params.lstm.hidden)
        width = 2 * params.lstm.hidden
    inner = params.attention.heads * params.attention.key_size
    total += params.attention.layers * positions * (2 * 4 * inner * width + 2 * 2 * inner * positions)
    last = params.projection or width
    total += steps * 2 * (width * params.projection + last * (2 * len(LABELS) + 1))
    return total + 2 * 3 * width * params.classifier


def product_rate(seconds: float = 0.5) -> float:
    """Operations a second of a large matrix product, the best of many."""
    left, right, best = torch.randn(1024, 1024), torch.randn(1024, 1024), float("inf")
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        torch.mm(left, right)
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best


def compare(corpus: Corpus, params: HeadParams, n_batches: int, repeats: int) -> dict[str, float]:
    """One row of the first table."""
    few, whole = Contest(corpus, params, n_batches), Contest(corpus, params)
    whole.cached()  # numba compiles, and the features come into memory
    best = {"cached": float("inf"), "recomputed": float("inf"), "whole": float("inf")}
    rate = 0.0
    for _ in range(repeats):
        rate = max(rate, product_rate())
        for name, turn in (("cached", few.cached), ("recomputed", few.recomputed), ("whole", whole.cached)):
            best[name] = min(best[name], turn())
    again = best["recomputed"] * whole.words / few.words  # an epoch of the whole corpus
    return {
        "words_per_second": round(whole.words / best["whole"]),
        "pieces_per_second": round(whole.pieces / best["whole"]),
        "recomputed_words_per_second": round(few.words / best["recomputed"]),
        "times_recomputed": round(best["recomputed"] / best["cached"], 2),
        "gflops_of_products": round(rate / 1e9),
        "limit_words_per_second": round(whole.words * rate / whole.products()),
        "of_the_limit": round(whole.products() / rate / best["whole"], 3),
        "epochs_to_break_even": round(corpus.seconds / (again - best["whole"]), 2),
    }


def write_conll(documents: Sequence[Document], path: Path) -> None:
    """Words and tags, a blank line behind each sentence."""
    tag_set = TagSet.iob(LABELS)
    with path.open("w", encoding="utf-8") as handle:
        for document in documents:
            for sentence in document.sentences:
                tags = tag_set.encode(len(sentence.words), word_spans(sentence, document.spans))
                rows = zip(sentence.words, tags, strict=True)
                handle.writelines(f"{word.text} {tag_set.tags[tag]}\n" for word, tag in rows)
                handle.write("\n")


def against_flair(corpus: Corpus, python: Path, folder: Path, threads: int, repeats: int) -> dict[str, float]:
    """One row of the second table: BiLSTM 256 + CRF, over the first pieces of words as flair has it."""
    params = HeadParams(
        pieces="first",
        words=WordParams(width=0),
        lstm=LstmParams(hidden=256),
        attention=AttentionParams(layers=0),
        projection=0,
        classifier=0,
        dropout=0.5,
    )
    contest = Contest(corpus, params)
    contest.cached()
    write_conll(corpus.documents, folder / "sentences.conll")
    script = [python, Path(__file__).parent / "flair_epochs.py", folder / "sentences.conll", corpus.encoder.folder]
    seconds: dict[str, list[float]] = {"ours": [], "flair": []}
    for _ in range(repeats):
        seconds["ours"] += [contest.cached() for _ in range(3)]
        done = subprocess.run(
            [*map(str, script), "--threads", str(threads)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{python}: flair did not run; `make bench` installs it\n{done.stderr[-500:]}")
        seconds["flair"] += json.loads(done.stdout.splitlines()[-1])["seconds"][1:]  # the encoder ran in the first
    ours, flair = min(seconds["ours"]), min(seconds["flair"])
    return {
        "words_per_second": round(contest.words / ours),
        "flair_words_per_second": round(contest.words / flair),
        "times_flair": round(flair / ours, 2),
    }


def table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown."""
    columns = list(next(iter(rows.values())))
    lines = [
        "| | " + " | ".join(column.replace("_", " ") for column in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    lines += [f"| {name} | " + " | ".join(f"{row[c]:,}" for c in columns) + " |" for name, row in rows.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write benchmarks/results/training.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="", help="a folder of SlavicNER; the sample unless given")
    parser.add_argument("--sentences", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--flair", type=Path, help="the python of an environment that has flair")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    figures: dict[str, Any] = {"threads": options.threads, "batch": BATCH, "bars": BARS}
    with tempfile.TemporaryDirectory() as name:
        folder, documents = Path(name), sample(options.sentences, options.corpus)
        large = Corpus.make(documents, random_encoder(folder / "encoder"), folder / "large")
        heads = {"paper": HeadParams.paper(), "default": read_params(Path("params.yaml"), "head", HeadParams)}
        figures["heads"] = {name: compare(large, params, 10, options.repeats) for name, params in heads.items()}
        print(table(figures["heads"]), flush=True)
        if options.flair:
            # flair reads no GGUF: the bundled encoder's shape with random weights
            small = Corpus.make(documents, random_encoder(folder / "narrow", 384), folder / "small")
            figures["flair"] = {
                f"{record.n_layers} x {record.width}": against_flair(
                    corpus, options.flair, folder, options.threads, max(1, options.repeats - 1)
                )
                for corpus in (small, large)
                for record in (corpus.store.manifest.encoder,)
            }
            print(f"\n{table(figures['flair'])}")
    print(f"\n{write_results('training', figures, ('torch', 'numba', 'transformers'))}")


if __name__ == "__main__":
    main()
