"""The scores of a run: `reports/details.json`, and its short form `reports/metrics.json`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from ner_head.base.files import write_text
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.results import Prediction, Temperatures
from ner_head.evaluation.bsnlp_documents import FormScores, strict_form_scores
from ner_head.evaluation.measures.calibration import Confidence
from ner_head.evaluation.measures.slices import Form, StrictScores, strict_scores
from ner_head.evaluation.measures.spans import Scores, word_macro_f1
from ner_head.evaluation.readings import oracle
from ner_head.evaluation.schemas import SchemaScores, breakdown


@dataclass(frozen=True)
class LanguageHits:
    """Numbers of correct and of all predictions of the language classifier."""

    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of correct predictions; 0 if there are none."""
        return self.right / self.total if self.total else 0.0


class Metrics(TypedDict):
    """The scores of one split. The keys after `word` are optional: not every tagger has them.

    `language` has the accuracy of the language classifier, `gain` the difference in F1 to the baseline, `calibration`
    the ECE of spans and languages with and without temperatures, `oracle` the F1 of the best choice among n readings,
    by n.
    """

    strict: StrictScores
    schemas: dict[str, SchemaScores]
    bsnlp_strict: FormScores
    word: Scores
    language: NotRequired[Scores]
    gain: NotRequired[Scores]
    calibration: NotRequired[dict[str, Scores]]
    oracle: NotRequired[Scores]


def metrics(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    seen: Collection[Form] = frozenset(),
    languages: LanguageHits = LanguageHits(0, 0),
) -> Metrics:
    """Scores that are defined for every tagger.

    Args:
        gold: Annotated documents.
        predicted: The same documents with predicted spans.
        seen: Forms of the train split.
        languages: Counts of the language classifier, over sentences of known language.
    """
    scores: Metrics = {
        "strict": strict_scores(gold, predicted, seen),
        "schemas": breakdown(gold, predicted),
        "bsnlp_strict": strict_form_scores(gold, predicted),
        "word": {"macro_f1": word_macro_f1(gold, predicted)},
    }
    if languages.total:
        scores["language"] = {"accuracy": languages.accuracy, "sentences": languages.total}
    return scores


def head_metrics(
    gold: Sequence[Document],
    predictions: Sequence[Prediction],
    untempered: Sequence[Prediction],
    temperatures: Temperatures,
    seen: Collection[Form],
) -> Metrics:
    """Scores of a tagger with probabilities and n-best readings.

    Args:
        gold: Annotated documents.
        predictions: Predictions with readings.
        untempered: Predictions without temperatures.
        temperatures: The temperatures of `predictions`.
        seen: Forms of the train split.
    """
    documents, guesses = [p.document for p in predictions], [p.sentence_languages for p in predictions]
    raw, raw_guesses = [p.document for p in untempered], [p.sentence_languages for p in untempered]
    hits = language_hits(gold, [[guess.language for guess in row] for row in guesses])
    calibration = {
        "spans": {
            "temperature": temperatures.spans,
            "ece_before": Confidence.of_spans(gold, raw).error,
            "ece": Confidence.of_spans(gold, documents).error,
        }
    }
    if hits.total:
        calibration["languages"] = {
            "temperature": temperatures.languages,
            "ece_before": Confidence.of_languages(gold, raw_guesses).error,
            "ece": Confidence.of_languages(gold, guesses).error,
        }
    readings = [p.readings for p in predictions]
    most = max((len(each) for rows in readings for each in rows), default=1)
    return {
        **metrics(gold, documents, seen, hits),
        "calibration": calibration,
        "oracle": {str(n): oracle(gold, readings, n).scores()["f1"] for n in range(1, most + 1)},
    }


def to_json(scores: Mapping[str, Metrics]) -> str:
    """The content of `details.json`: the scores of dev at the top level, those of other splits under their names."""
    return json.dumps(_dev_on_top(scores), indent=2) + "\n"


def from_json(text: str) -> dict[str, Metrics]:
    """Inverse of `to_json`."""
    content = json.loads(text)
    others = {split: content.pop(split) for split in sorted(content.keys() - Metrics.__annotations__.keys())}
    return {**({"dev": content} if content else {}), **others}


def digest(scores: Mapping[str, Metrics]) -> str:
    """The content of `metrics.json`: a few figures with short names, those of dev at the top level.

    `f1`, `precision` and `recall` are of strict spans, `macro_f1` is over types, `task_f1` the strict score of the
    shared task, `language` the accuracy of the language classifier, `ece` the calibration error of spans, and `gain`
    the F1 above the baseline. `details.json` has everything.
    """
    return json.dumps(_dev_on_top({split: _few(found) for split, found in scores.items()}), indent=2) + "\n"


def _few(found: Metrics) -> dict[str, float]:
    micro = found["strict"]["micro"]
    few = {name: micro[name] for name in ("f1", "precision", "recall")}
    few |= {"macro_f1": found["strict"]["macro"]["f1"], "task_f1": found["bsnlp_strict"]["all"]["f1"]}
    if "language" in found:
        few["language"] = found["language"]["accuracy"]
    if "calibration" in found:
        few["ece"] = found["calibration"]["spans"]["ece"]
    if "gain" in found:
        few["gain"] = found["gain"]["f1"]
    return {name: round(value, 4) for name, value in few.items()}


def write_scores(folder: Path, scores: Mapping[str, Metrics]) -> None:
    """Write `details.json` and `metrics.json`."""
    write_text(folder / "details.json", to_json(scores))
    write_text(folder / "metrics.json", digest(scores))


def _dev_on_top(scores: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    others = {split: found for split, found in scores.items() if split != "dev"}
    return {**scores.get("dev", {}), **others}


def language_hits(gold: Sequence[Document], guesses: Sequence[Sequence[str]]) -> LanguageHits:
    """Count correct language predictions of sentences. `guesses` has a list per document; without classifier, empty."""
    pairs = [
        (document.language, guess)
        for document, row in zip(gold, guesses, strict=True)
        for guess in row
        if document.language != UNKNOWN_LANGUAGE
    ]
    return LanguageHits(sum(a == b for a, b in pairs), len(pairs))
