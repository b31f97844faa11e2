"""Predictions, models/lemmas and models/links -> reports/bsnlp: form, lemma, category and entity; and their scores."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("submit")

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ner_head.base.files import write_text
from ner_head.base.params import read_params
from ner_head.base.runtime import RuntimeParams
from ner_head.corpus.documents import Document
from ner_head.corpus.records import write_documents
from ner_head.evaluation.bsnlp_documents import TaskScores, task_scores, write_predictions
from ner_head.features.store.mentions import SpanVectors
from ner_head.features.store.store import FeatureStore
from ner_head.lemmas.lemmatizer import Lemmatizer
from ner_head.linking.linker import Linked, Linker

from . import FEATURES, LEMMAS, LINKS, PARAMS, REPORTS, read_predictions, read_split, warn, write_csv, write_json

NAMED = REPORTS / "named"


def main() -> None:
    """Give the predicted mentions of dev and test lemmas and entities, and score the splits that have gold ones."""
    read_params(PARAMS, "runtime", RuntimeParams).start()
    store, lemmatizer, linker = FeatureStore.open(FEATURES), Lemmatizer.load(LEMMAS), Linker.load(LINKS)
    scores, found, rows = dict[str, dict[str, TaskScores]](), list[Document](), list[list[object]]()
    for split in ("dev", "test"):
        gold = read_split(split)
        predicted = read_predictions(REPORTS / "predictions" / f"{split}.jsonl", split, gold, stage="evaluate")
        tell_unknown(split, gold, lemmatizer)
        linked = name(predicted, store, lemmatizer, linker)
        write_documents(NAMED / f"{split}.jsonl", linked.documents)
        found += linked.documents
        rows += [[split, *place, certainty] for place, certainty in sorted(linked.certainties.items())]
        if any(span.lemma and span.entity for document in gold for span in document.spans):
            bare = [replace(d, spans=tuple(replace(s, lemma=None, entity=None) for s in d.spans)) for d in gold]
            known = name(bare, store, lemmatizer, linker).documents
            scores[split] = {
                "predicted_mentions": task_scores(gold, linked.documents),
                "gold_mentions": task_scores(gold, known),
            }
    write_annotations(found)
    write_csv(REPORTS / "links.csv", ["split", "topic", "entity", "certainty"], rows)
    write_json(REPORTS / "task.json", scores)
    write_json(REPORTS / "task_metrics.json", few(scores))


def few(scores: Mapping[str, Mapping[str, TaskScores]]) -> dict[str, object]:
    """A few scores of the predicted mentions for `dvc metrics show`: those of dev, and those of test below `test`."""
    found = {
        split: {
            "lemmas": of["predicted_mentions"]["lemma_accuracy"],
            **{
                short: of["predicted_mentions"]["metrics"][metric]["f1"]
                for short, metric in (
                    ("normalization", "normalization"),
                    ("link_document", "linking_document"),
                    ("link_language", "linking_language"),
                    ("link_cross", "linking_cross_language"),
                )
            },
        }
        for split, of in scores.items()
    }
    return {**found.get("dev", {}), **({"test": found["test"]} if "test" in found else {})}


def name(documents: Sequence[Document], store: FeatureStore, lemmatizer: Lemmatizer, linker: Linker) -> Linked:
    """The documents with lemmas and entities of their spans."""
    vectors = SpanVectors(documents, store, lemmatizer.layers)
    lemmatized = lemmatizer.lemmatize(documents, vectors, together=True)
    return linker.link(lemmatized, SpanVectors(documents, store, linker.layers))


def tell_unknown(split: str, documents: Sequence[Document], lemmatizer: Lemmatizer) -> None:
    """Warn of languages that train lacks."""
    unknown = sorted({document.language for document in documents} - lemmatizer.languages)
    if unknown:
        warn([f"{split}: train has no lemmas in {', '.join(unknown)}; the lemma of each form there is the form"])


def write_annotations(documents: Sequence[Document]) -> None:
    """Write predictions as files of the BSNLP shared task, after removing those of earlier runs."""
    folder = REPORTS / "bsnlp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if not write_predictions(folder, documents):
        write_text(folder / "EMPTY.txt", "Neither dev nor test has documents: nothing is predicted.\n")
