"""Overhead of Dask per shard: 10,000 shards of a fake encoder on one local worker process.

python -m benchmarks.scheduling [--shards 10000] [--workers 1]
"""

from __future__ import annotations

import argparse
import time

from benchmarks.report import write_results
from ner_head.features.extraction.cluster import connect, run_tasks
from ner_head.features.extraction.encoder import Fingerprint
from ner_head.features.extraction.plans import ShardPlan
from ner_head.features.extraction.workers import Job, Receipt

WORDS = tuple(
    tuple(("slovo",) * 20 for _ in range(20)) for _ in range(10)
)  # 4,000 words, about the default of shard_words


def fake(plan: ShardPlan, job: Job) -> Receipt:
    """Return a receipt at once."""
    return Receipt(plan.key, job.pool)


def main() -> None:
    """Measure, print, and write benchmarks/results/scheduling.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    mark = Fingerprint(weights="w" * 64, tokenizer="t" * 64, n_layers=12, width=768, limit=512)
    job = Job("encoder", "cpu", mark, "pool", 4096, 1)
    plans = [ShardPlan(WORDS, tuple(f"d{i}" for i in range(10)), f"{n:064x}") for n in range(options.shards)]
    with connect(options.workers) as client:
        list(run_tasks(client, fake, plans[:10], job))  # workers import their modules
        start = time.perf_counter()
        done = {receipt.key for _, receipt in run_tasks(client, fake, plans, job) if isinstance(receipt, Receipt)}
        seconds = time.perf_counter() - start
    assert len(done) == options.shards
    figures = {
        "shards": options.shards,
        "workers": options.workers,
        "seconds": round(seconds, 2),
        "milliseconds_per_shard": round(1000 * seconds / options.shards, 3),
    }
    print(figures)
    write_results("scheduling", figures, ("dask", "distributed"))


if __name__ == "__main__":
    main()
