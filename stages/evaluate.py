"""models/head on dev, and on test -> reports: scores, tables, predictions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from ner_head.corpus.documents import Document, read_documents, write_documents
from ner_head.evaluation.report import Metrics, language_hits, metrics, table
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
    scores: dict[str, object] = {}
    tables = []
    for split in ("dev", "test"):
        gold = list(read_documents(PREPARED / f"{split}.jsonl"))
        predictions = predict_from_store(tagger, gold, store, model.manifest.languages)
        write_documents(REPORTS / "predictions" / f"{split}.jsonl", (p.document for p in predictions))
        if split == "dev":
            write_confusion(gold, predictions)
        if split == "dev" or any(document.spans for document in gold):
            found = score(gold, predictions)
            scores |= found if split == "dev" else {"test": found}
            tables.append(table(f"{split}, strict spans", found))
    (REPORTS / "metrics.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    (REPORTS / "results.md").write_text("\n".join(tables), encoding="utf-8")


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
