"""models/head on dev and test -> reports: scores of head and baseline, predictions, plots, the model card."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("evaluate")

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ner_head.base.errors import DataError
from ner_head.base.files import write_text
from ner_head.base.params import read_params
from ner_head.base.runtime import RuntimeParams
from ner_head.cards.card import Description, card, licence_of
from ner_head.corpus.documents import Document
from ner_head.corpus.records import write_documents
from ner_head.corpus.results import Prediction, judged, judged_predictions
from ner_head.evaluation.figures import Figures, figures, model_digest
from ner_head.evaluation.measures.calibration import Confidence
from ner_head.evaluation.measures.slices import forms, gain
from ner_head.evaluation.measures.spans import Scores, confusion, has_gold
from ner_head.evaluation.measures.unknown import unknown
from ner_head.evaluation.nbest_files import write_nbest
from ner_head.evaluation.readings import to_nbest
from ner_head.evaluation.report import Metrics, from_json, head_metrics, write_scores
from ner_head.evaluation.tables import order_table, tables
from ner_head.features.store.store import FeatureStore
from ner_head.inference.predictions import predict_from_store
from ner_head.inference.saved_model import ModelManifest, SavedModel
from ner_head.inference.tagger import Tagger

from . import FEATURES, MODEL, PARAMS, REPORTS, SPLITS, read_predictions, read_split, warn, write_csv

BASELINE = REPORTS / "baseline"
BASELINE_SCORES = BASELINE / "details.json"
N_BEST = 11  # as in the paper


def main() -> None:
    """Predict dev and test, and score the splits that have gold spans. A blind test split has none."""
    device = read_params(PARAMS, "runtime", RuntimeParams).start()
    store = FeatureStore.open(FEATURES)
    model = SavedModel.load(MODEL, device=device, layer_weights=lambda _: store.layer_weights())
    manifest = model.manifest
    tagger = Tagger(model.head, manifest.tag_set, device, manifest.temperatures)
    untempered = Tagger(model.head, manifest.tag_set, device)
    splits = {split: read_split(split) for split in SPLITS}
    seen, baseline = forms(splits["train"]), read_baseline()
    predict = partial(predict_from_store, store=store, languages=manifest.languages, probabilities=True)
    scores, found = dict[str, Metrics](), dict[str, list[Document]]()
    write_plots([], [], [])  # tables without rows: DVC requires every output, also without dev
    for split in ("dev", "test"):
        gold = splits[split]
        predictions = predict(tagger, gold, n_best=N_BEST)
        documents = [prediction.document for prediction in predictions]
        write(split, predictions)
        found[split] = documents
        if not has_gold(gold):
            continue
        warn(unknown(split, gold, manifest.labels, manifest.languages))
        predictions, raw = judged_predictions(gold, predictions), judged_predictions(gold, predict(untempered, gold))
        found[split] = documents = [prediction.document for prediction in predictions]
        scores[split] = head_metrics(gold, predictions, raw, manifest.temperatures, seen)
        path = BASELINE / "predictions" / f"{split}.jsonl"
        baseline_found = read_predictions(path, split, gold, stage="baseline")
        scores[split]["gain"] = gain(gold, documents, judged(gold, baseline_found))
        if split == "dev":
            write_plots(gold, predictions, raw, scores[split]["oracle"])
    write_scores(REPORTS, scores)
    known = figures(model_digest(MODEL), splits, scores, found, manifest.labels)
    write_card(manifest, known)
    shown = [beside_baseline(split, scores[split], baseline) for split in scores]
    shown += [order_table(f"{split}, head", rows) for split, rows in known.orders.items()]
    nothing = "Neither dev nor test has gold spans: there is nothing to score.\n"
    write_text(REPORTS / "results.md", "\n".join(shown) or nothing)


def write_card(manifest: ModelManifest, known: Figures) -> None:
    """Write the figures of the model, and its card."""
    known.write(REPORTS / "figures.json")
    description = Description(str(MODEL)).with_summary(manifest)
    licence = licence_of(Path(manifest.encoder.model))
    text = card(manifest, description, load=str(MODEL), licence=licence, figures=known)
    write_text(REPORTS / "model_card.md", text)


def read_baseline() -> dict[str, Metrics]:
    """Read the scores of stage `baseline`, by split."""
    try:
        return from_json(BASELINE_SCORES.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{BASELINE_SCORES}: no such file; run `dvc repro baseline`") from None
    except (ValueError, AttributeError, RecursionError) as error:
        raise damaged_baseline(error) from None


def beside_baseline(split: str, scores: Metrics, baseline: Mapping[str, Metrics]) -> str:
    """Tables of the scores of a split, with the baseline's, which were read from a file and may lack something."""
    try:
        return tables(split, {"head": scores, "baseline": baseline[split]})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged_baseline(error) from None


def damaged_baseline(error: Exception) -> DataError:
    """The error for scores of the baseline that cannot be used."""
    return DataError(f"{BASELINE_SCORES}: not the scores of the baseline ({error!r}); run `dvc repro -f baseline`")


def write(split: str, predictions: list[Prediction]) -> None:
    """Write predicted documents, and the n best readings of their sentences."""
    write_documents(REPORTS / "predictions" / f"{split}.jsonl", (p.document for p in predictions))
    write_nbest(
        REPORTS / "nbest" / f"{split}.txt", (best for p in predictions for best in to_nbest(p.document, p.readings))
    )


def write_plots(
    gold: list[Document], predictions: list[Prediction], raw: list[Prediction], oracle: Scores | None = None
) -> None:
    """Write the tables of the plots of dev. Without documents they have no rows.

    Args:
        gold: Annotated documents.
        predictions: Predictions.
        raw: Predictions without temperatures.
        oracle: F1 of the best choice among n readings, by n.
    """
    write_csv(REPORTS / "oracle.csv", ["n", "f1"], list((oracle or {}).items()))
    found = [prediction.document for prediction in predictions]
    write_csv(REPORTS / "confusion.csv", ["gold", "predicted"], confusion(gold, found))
    whens = (("without", raw), ("with", predictions))
    spans = [(when, Confidence.of_spans(gold, [p.document for p in each])) for when, each in whens]
    guesses = [(when, Confidence.of_languages(gold, [p.sentence_languages for p in each])) for when, each in whens]
    for what, pairs in (("spans", spans), ("languages", guesses)):
        bins = [[when, b.confidence, b.accuracy, b.count] for when, confidence in pairs for b in confidence.bins()]
        write_csv(REPORTS / f"reliability_{what}.csv", ["temperature", "probability", "right", "count"], bins)
    total = sum(len(document.spans) for document in gold)
    sweep = [(k, counts.scores()) for k, counts in spans[1][1].sweep(total) if counts.predicted]
    header = ["precision", "recall", "f1", "predicted"]
    write_csv(REPORTS / "thresholds.csv", ["threshold", *header], [[k, *(s[c] for c in header)] for k, s in sweep])
