"""models/head on dev, and on test -> reports: scores, tables beside the baseline's, predictions."""

from __future__ import annotations

import csv
from pathlib import Path

from ner_head.corpus.documents import Document, read_documents, write_documents
from ner_head.errors import DataError
from ner_head.evaluation.bsnlp_documents import write_predictions
from ner_head.evaluation.report import Metrics, from_json, has_scores, language_hits, metrics, table, to_json
from ner_head.evaluation.spans import confusion
from ner_head.features.store import FeatureStore
from ner_head.params import read_params
from ner_head.predictions import Prediction, predict_from_store
from ner_head.runtime import RuntimeParams
from ner_head.saved_model import SavedModel
from ner_head.tagger import Tagger
from stages import PARAMS, PREPARED, REPORTS, run


def main() -> None:
    """Predict and score both splits; test without gold (a blind topic) is predicted only."""
    device = read_params(PARAMS, "runtime", RuntimeParams).start()
    model = SavedModel.load(Path("models/head"), device=device)
    tagger = Tagger(model.head, model.manifest.tag_set, device)
    store = FeatureStore.open(Path("data/features"))
    baseline, scores = read_baseline(), dict[str, Metrics]()
    tables, found = [], list[Document]()
    for split in ("dev", "test"):
        gold = list(read_documents(PREPARED / f"{split}.jsonl"))
        predictions = predict_from_store(tagger, gold, store, model.manifest.languages)
        write_documents(REPORTS / "predictions" / f"{split}.jsonl", (p.document for p in predictions))
        found += (p.document for p in predictions)
        if split == "dev":
            write_confusion(gold, predictions)
        if has_scores(split, gold):
            scores[split] = score(gold, predictions)
            tables.append(table(f"{split}, strict spans", {"head": scores[split], "baseline": baseline[split]}))
    write_predictions(REPORTS / "bsnlp", found)
    (REPORTS / "metrics.json").write_text(to_json(scores), encoding="utf-8")
    (REPORTS / "results.md").write_text("\n".join(tables), encoding="utf-8")


def read_baseline() -> dict[str, Metrics]:
    """What stage `baseline` wrote, by split."""
    path = REPORTS / "baseline/metrics.json"
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run `dvc repro baseline`") from None


def score(gold: list[Document], predictions: list[Prediction]) -> Metrics:
    """The metrics of one split."""
    hits = language_hits(gold, [prediction.sentence_languages for prediction in predictions])
    return metrics(gold, [prediction.document for prediction in predictions], hits)


def write_confusion(gold: list[Document], predictions: list[Prediction]) -> None:
    """Pairs of labels for the confusion plot."""
    with (REPORTS / "confusion.csv").open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle, lineterminator="\n")
        rows.writerow(["gold", "predicted"])
        rows.writerows(confusion(gold, [prediction.document for prediction in predictions]))


if __name__ == "__main__":
    run(main)
