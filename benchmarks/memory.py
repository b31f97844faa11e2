"""Memory of training on a store that is larger than what a process should take.

    python -m benchmarks.memory [--gigabytes 4] [--share 0.2]

Random features of 12 x 768; the default head trains on a share of the sentences, drawn from all shards, and is
evaluated on some. What counts is the process's own memory (RssAnon): pages of the mapped files (RssFile) are the
system's to drop.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import torch

from benchmarks.random_store import memory, random_examples, random_store
from benchmarks.report import write_results
from ner_head.base.params import read_params
from ner_head.features.store.batches import shuffled_batches
from ner_head.head.model import build_head
from ner_head.head.params import HeadParams
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer

LABELS, LANGUAGES = ["EVT", "LOC", "ORG", "PER", "PRO"], ["bg", "cs", "pl", "ru"]
BAR = 2.0  # GB


class Peak:
    """The most that a process takes of each kind of memory while this is entered, in GB."""

    def __init__(self) -> None:
        self.found = {"RssAnon": 0.0, "RssFile": 0.0}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for name in self.found:
                self.found[name] = max(self.found[name], memory(name) / 1e9)


def main() -> None:
    """Measure, print, and write benchmarks/results/memory.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the store is made, and removed")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        store = random_store(Path(name), int(options.gigabytes * 1e9 / (12 * 768 * 2)))
        params = read_params(Path("params.yaml"), "head", HeadParams)
        tag_set = params.tag_set(LABELS)
        head = build_head(params, n_layers=12, width=768, tag_set=tag_set, languages=LANGUAGES)
        trainer = Trainer(head, tag_set, LANGUAGES, params=TrainingParams(), device=torch.device("cpu"))
        sentences = random_examples(store, tag_set, len(LANGUAGES))
        batches = shuffled_batches([trainer.length(s, store) for s in sentences], 16, seed=0)
        batches = batches[: max(1, int(options.share * len(batches)))]
        before, start = memory("RssAnon") / 1e9, time.perf_counter()
        with Peak() as peak:
            trainer.train_epoch([[sentences[i] for i in batch] for batch in batches], store, 1)
            trainer.tagger.tag([store[s.name] for s in sentences[:2000]], [s.word_ids for s in sentences[:2000]])
        figures = {
            "store_GB": round(sum(path.stat().st_size for path in Path(name).glob("*.h5")) / 1e9, 2),
            "shards": len(store.manifest.shards),
            "sentences_of_a_share": len(batches) * 16,
            "own_memory_before_GB": round(before, 2),
            "own_memory_at_most_GB": round(peak.found["RssAnon"], 2),
            "mapped_pages_at_most_GB": round(peak.found["RssFile"], 2),
            "bar_GB": BAR,
            "seconds": round(time.perf_counter() - start, 1),
        }
    print(figures)
    write_results("memory", figures, ("torch",))


if __name__ == "__main__":
    main()
