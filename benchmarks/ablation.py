"""Strict dev F1 of heads that differ in a few params, several seeds each: `python -m benchmarks.ablation`.

Requires the output of `dvc repro extract`. Heads are trained from data/prepared and data/features with the params of
params.yaml, once unchanged and once for each variant. The default is the paper's ablation of the language classifier:

    python -m benchmarks.ablation head.classifier=0 --seeds 0 1 2

Printed for each variant: F1 by seed, mean and standard deviation, and the mean gain of the unchanged params over it,
with a 95 % interval over resampled dev documents (the same for both, F1 averaged over seeds).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from benchmarks.heads import HeadBench, predict_dev
from benchmarks.report import write_results
from ner_head.evaluation.measures.slices import SliceCounts, f1, interval

AS_IS = "as it is"


def mean_f1(counted: Sequence[SliceCounts]) -> tuple[np.ndarray, np.ndarray]:
    """Micro F1 of each seed, and the mean over seeds of each resample."""
    each = np.array([f1(counts.counts.sum(axis=0)[0]) for counts in counted])
    return each, np.mean([f1(counts.resampled()[:, 0]) for counts in counted], axis=0)


def figures_of(counted: dict[str, list[SliceCounts]]) -> list[dict[str, object]]:
    """A row of figures for each variant."""
    whole, drawn = mean_f1(counted[AS_IS])
    rows = []
    for variant, each in counted.items():
        seeds, resampled = mean_f1(each)
        low, high = interval(drawn - resampled)
        rows.append(
            {
                "variant": variant,
                "f1": [round(float(value), 4) for value in seeds],
                "mean": round(mean(seeds.tolist()), 4),
                "deviation": round(stdev(seeds.tolist()), 4) if len(seeds) > 1 else 0.0,
                "gain_over_it": round(float(whole.mean() - seeds.mean()), 4),
                "interval": [round(low, 4), round(high, 4)],
            }
        )
    return rows


def main() -> None:
    """Train heads, print a table, and write benchmarks/results/ablation.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "variants",
        nargs="*",
        default=["head.classifier=0"],
        help="assignments joined by commas, one argument per variant",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    bench = HeadBench(options.params, options.threads)
    counted: dict[str, list[SliceCounts]] = {}
    for variant in [AS_IS, *options.variants]:
        for seed in options.seeds:
            session = bench.session([] if variant == AS_IS else variant.split(","), seed)
            predictions = predict_dev(session, session.fit(bench.train, bench.dev).head)
            counts = SliceCounts.of(bench.dev, [p.document for p in predictions], frozenset())
            counted.setdefault(variant, []).append(counts)
            print(f"{variant}, seed {seed}: F1 {f1(counts.counts.sum(axis=0)[0]):.4f}", file=sys.stderr)
    figures = figures_of(counted)
    write_results("ablation", {"seeds": options.seeds, "documents": len(bench.dev), "variants": figures})
    print(f"| variant | {' | '.join(f'seed {seed}' for seed in options.seeds)} | mean | deviation | gain over it |")
    print("|---" * (4 + len(options.seeds)) + "|")
    for row in figures:
        low, high = row["interval"]
        gain = "" if row["variant"] == AS_IS else f"{row['gain_over_it']:+.3f} ({low:+.3f} to {high:+.3f})"
        cells = [f"{value:.3f}" for value in row["f1"]] + [f"{row['mean']:.3f}", f"{row['deviation']:.3f}", gain]
        print(f"| {row['variant']} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
