"""data/prepared -> models/baseline, reports/baseline: a CRF over word features, for comparison with the head."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("baseline")

import sys
from pathlib import Path

from ner_head.base.extras import require_extra
from ner_head.base.params import read_params
from ner_head.baseline import BaselineParams, train_baseline
from ner_head.corpus.records import write_documents
from ner_head.corpus.results import judged
from ner_head.evaluation.measures.slices import forms
from ner_head.evaluation.measures.spans import has_gold
from ner_head.evaluation.report import Metrics, metrics, write_scores

from . import PARAMS, REPORTS, read_split

MODEL = Path("models/baseline/model.crfsuite")
OUTPUT = REPORTS / "baseline"


def main() -> None:
    """Train on train; predict dev and test, and score them as the head is scored."""
    require_extra("train", "pycrfsuite")
    params = read_params(PARAMS, "baseline", BaselineParams)
    train = read_split("train")
    print(f"{len(train)} train documents, at most {params.iterations} iterations", file=sys.stderr)
    baseline = train_baseline(train, MODEL, params)
    scores, seen = dict[str, Metrics](), forms(train)
    for split in ("dev", "test"):
        gold = read_split(split)
        predicted = [baseline.predict(document) for document in gold]
        write_documents(OUTPUT / "predictions" / f"{split}.jsonl", predicted)
        if has_gold(gold):
            scores[split] = metrics(gold, judged(gold, predicted), seen)
    write_scores(OUTPUT, scores)
