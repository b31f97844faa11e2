"""Calibration errors with temperatures fitted in several ways: `python -m benchmarks.calibration --seeds 0 1 2`.

Requires the output of `dvc repro extract`. For each seed a head is trained on all of train, and temperatures are fitted

- on related documents, weighted as if most names were new (as stage `train` does),
- on the same documents without weights,
- on randomly selected documents without weights (the usual way),
- on dev itself: not a fair comparison, but the best result of a single temperature.

The first three use a head that was trained without the documents. Errors are the ECE of span probabilities on dev.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.heads import HeadBench, predict_dev
from benchmarks.report import write_results
from ner_head.corpus.documents import Document
from ner_head.corpus.results import Temperatures
from ner_head.evaluation.measures.calibration import Confidence
from ner_head.evaluation.measures.slices import forms
from ner_head.head.model import Head
from ner_head.training.held_out import hold_out
from ner_head.training.session import TrainingSession
from ner_head.training.temperatures import fit_temperatures

EVERY_SPAN_ONCE = -1.0


def fit(
    session: TrainingSession, head: Head, kept: Sequence[Document], held: Sequence[Document], new_forms: float
) -> Temperatures:
    """Temperatures fitted on held-out documents. If all forms are seen, every span has weight 1."""
    seen = forms([*kept, *held]) if new_forms == EVERY_SPAN_ONCE else forms(kept)
    tagger, languages = session.tagger(head), session.manifest.languages
    return fit_temperatures(tagger, held, session.store, languages, seen=seen, new_forms=max(new_forms, 0.0))


def errors(session: TrainingSession, head: Head, temperatures: Temperatures) -> tuple[float, float]:
    """ECE on dev, of spans and of languages."""
    found = predict_dev(session, head, temperatures)
    spans = Confidence.of_spans(session.dev, [p.document for p in found])
    return spans.error, Confidence.of_languages(session.dev, [p.sentence_languages for p in found]).error


def rows_of(session: TrainingSession) -> list[dict[str, object]]:
    """The rows of one seed."""
    train, dev, params = session.train, session.dev, session.params
    whole = session.fit(train, dev).head
    kept, held = hold_out(train, params.held_out, seed=params.seed)
    fold = session.fit(kept, dev).head
    places = set(random.Random(params.seed).sample(range(len(train)), len(held)))
    drawn = [document for i, document in enumerate(train) if i in places]
    rest = [document for i, document in enumerate(train) if i not in places]
    found = {
        "none": Temperatures(),
        "together, new names": fit(session, fold, kept, held, params.new_forms),
        "together": fit(session, fold, kept, held, EVERY_SPAN_ONCE),
        "at random": fit(session, session.fit(rest, dev).head, rest, drawn, EVERY_SPAN_ONCE),
        "dev itself": fit(session, whole, train, dev, EVERY_SPAN_ONCE),
    }
    rows = []
    for name, temperatures in found.items():
        spans, languages = errors(session, whole, temperatures)
        rows.append(
            {
                "seed": params.seed,
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
    """Fit temperatures, print a table, and write benchmarks/results/calibration.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    bench = HeadBench(options.params, options.threads)
    print(
        "| seed | fitted on | temperature of spans | ECE | temperature of languages | ECE |\n|---|---|---|---|---|---|"
    )
    rows = [row for seed in options.seeds for row in rows_of(bench.session([], seed))]
    write_results("calibration", {"documents": len(bench.dev), "rows": rows})


if __name__ == "__main__":
    main()
