"""data/prepared -> models/baseline, reports/baseline: a CRF over word features, to compare the head with."""

from __future__ import annotations

if __name__ == "__main__":
    from stages import start

    start("baseline")

import sys
from pathlib import Path

from ner_head.base.params import read_params
from ner_head.baseline import BaselineParams, train_baseline
from ner_head.corpus.documents import read_documents, write_documents
from ner_head.evaluation.measures.slices import forms
from ner_head.evaluation.report import Metrics, digest, has_scores, metrics, to_json
from stages import PARAMS, PREPARED, REPORTS

MODEL = Path("models/baseline/model.crfsuite")
OUTPUT = REPORTS / "baseline"


def main() -> None:
    """Train on train; predict dev and test, score them as the head is scored."""
    params = read_params(PARAMS, "baseline", BaselineParams)
    train = list(read_documents(PREPARED / "train.jsonl"))
    print(f"{len(train)} train documents, at most {params.iterations} iterations", file=sys.stderr)
    baseline = train_baseline(train, MODEL, params)
    scores, seen = dict[str, Metrics](), forms(train)
    for split in ("dev", "test"):
        gold = list(read_documents(PREPARED / f"{split}.jsonl"))
        predicted = [baseline.predict(document) for document in gold]
        write_documents(OUTPUT / "predictions" / f"{split}.jsonl", predicted)
        if has_scores(gold):
            scores[split] = metrics(gold, predicted, seen)
    (OUTPUT / "details.json").write_text(to_json(scores), encoding="utf-8")
    (OUTPUT / "metrics.json").write_text(digest(scores), encoding="utf-8")
