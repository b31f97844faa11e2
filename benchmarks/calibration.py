"""How far temperatures go that were fitted without dev: `python -m benchmarks.calibration --seeds 0 1 2`.

Run where `dvc repro extract` has run. For each seed a head is trained on all of train, and temperatures are fitted

- on documents that belong together, as if most names were new (what stage `train` does),
- on the same documents, each span counting once,
- on documents drawn at random, each span counting once (what is usually done),
- on dev itself: no honest way, but the best that one temperature can do;

the first three with a head that was trained without the documents. Errors are the ECE of span probabilities on dev.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from benchmarks.heads import Bench
from benchmarks.report import write_results
from ner_head.base.params import validate
from ner_head.corpus.documents import Document
from ner_head.corpus.results import Temperatures
from ner_head.evaluation.measures.calibration import Confidence
from ner_head.evaluation.measures.slices import forms
from ner_head.inference.tagger import Tagger
from ner_head.training.held_out import hold_out
from ner_head.training.params import TrainingParams
from ner_head.training.temperatures import fit_temperatures

EVERY_SPAN_ONCE = -1.0


def fit(bench: Bench, tagger: Tagger, kept: list[Document], held: list[Document], new_forms: float) -> Temperatures:
    """Temperatures from held-out documents; with all forms called seen, every span counts once."""
    seen = forms([*kept, *held]) if new_forms == EVERY_SPAN_ONCE else forms(kept)
    return fit_temperatures(tagger, held, bench.store, bench.languages, seen=seen, new_forms=max(new_forms, 0.0))


def errors(bench: Bench, tagger: Tagger, temperatures: Temperatures) -> tuple[float, float]:
    """ECE on dev, of spans and of languages."""
    found = bench.predict(tagger, temperatures)
    spans = Confidence.of_spans(bench.dev, [p.document for p in found])
    return spans.error, Confidence.of_languages(bench.dev, [p.sentence_languages for p in found]).error


def rows_of(bench: Bench, seed: int) -> list[dict[str, object]]:
    """One seed's rows."""
    params = validate({**bench.section("training"), "seed": seed}, "training", TrainingParams)
    whole = bench.fit(bench.train, [], seed)
    kept, held = hold_out(bench.train, params.held_out, seed=seed)
    fold = bench.fit(kept, [], seed)
    places = set(random.Random(seed).sample(range(len(bench.train)), len(held)))
    drawn = [document for i, document in enumerate(bench.train) if i in places]
    rest = [document for i, document in enumerate(bench.train) if i not in places]
    found = {
        "none": Temperatures(),
        "together, new names": fit(bench, fold, kept, held, params.new_forms),
        "together": fit(bench, fold, kept, held, EVERY_SPAN_ONCE),
        "at random": fit(bench, bench.fit(rest, [], seed), rest, drawn, EVERY_SPAN_ONCE),
        "dev itself": fit(bench, whole, bench.train, bench.dev, EVERY_SPAN_ONCE),
    }
    rows = []
    for name, temperatures in found.items():
        spans, languages = errors(bench, whole, temperatures)
        rows.append(
            {
                "seed": seed,
                "fitted_on": name,
                "temperature": round(temperatures.spans, 3),
                "ece": round(spans, 4),
                "language_temperature": round(temperatures.languages, 3),
                "language_ece": round(languages, 4),
            }
        )
        print("| " + " | ".join(str(value) for value in rows[-1].values()) + " |", flush=True)
    return rows


def main() -> None:
    """Fit, print a table, and write benchmarks/results/calibration.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    bench = Bench(options.params, options.threads)
    print(
        "| seed | fitted on | temperature of spans | ECE | temperature of languages | ECE |\n|---|---|---|---|---|---|"
    )
    rows = [row for seed in options.seeds for row in rows_of(bench, seed)]
    write_results("calibration", {"documents": len(bench.dev), "rows": rows})


if __name__ == "__main__":
    main()
