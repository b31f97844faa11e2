"""`figures.json`: what `evaluate` found out about a model, for its card and for `predict --precision`.

The file is in `reports/` of a project, and inside of a bundle. It names the model that it is about by a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from pydantic import Field, ValidationError

from ner_head.base.errors import DataError, system_error
from ner_head.base.files import digest_of, write_text
from ner_head.base.params import Params, first_problem
from ner_head.corpus.documents import Document
from ner_head.evaluation.measures.slices import StrictScores
from ner_head.evaluation.measures.spans import Counts, Scores
from ner_head.evaluation.report import Metrics
from ner_head.evaluation.thresholds import TARGETS, LabelThresholds, counts, cross_checked, least_of, thresholds

NAME = "figures.json"
MOST_TOPICS = 5


class SplitFigures(Params):
    """The size of a split. `languages` has numbers of documents, `spans` numbers of gold spans by label."""

    documents: int
    sentences: int
    words: int
    languages: dict[str, int]
    spans: dict[str, int]
    topics: list[str]
    """The first topics, if there are many."""
    partial: dict[str, int] = Field(default_factory=dict)
    """Number of documents by the labels that they annotate, of those that do not annotate all of the model."""

    @classmethod
    def of(cls, documents: Sequence[Document], labels: Sequence[str]) -> SplitFigures:
        """Count a split. `labels` are those of the model."""
        sentences = [sentence for document in documents for sentence in document.sentences]
        sets = (d.annotates for d in documents if d.annotates is not None)
        partial = Counter(", ".join(found) for found in sets if not set(labels) <= set(found))
        return cls(
            documents=len(documents),
            sentences=len(sentences),
            words=sum(len(sentence.words) for sentence in sentences),
            languages=dict(sorted(Counter(document.language for document in documents).items())),
            spans=dict(sorted(Counter(span.label for document in documents for span in document.spans).items())),
            partial=dict(sorted(partial.items())),
            topics=sorted({document.topic for document in documents if document.topic})[:MOST_TOPICS],
        )


class SpanScores(Params):
    """Strict scores of spans. The interval of F1 is absent for few documents."""

    precision: float
    recall: float
    f1: float
    gold: int
    f1_low: float | None = None
    f1_high: float | None = None

    @classmethod
    def of(cls, scores: Scores) -> SpanScores:
        """The scores of a slice."""
        return cls.model_validate({key: value for key, value in scores.items() if key in cls.model_fields})


class SplitScores(Params):
    """Strict scores of a split: of all spans, and by label and language; and the calibration of the probabilities."""

    all: SpanScores
    per_type: dict[str, SpanScores]
    per_language: dict[str, SpanScores]
    calibration_error: float | None = None
    """Expected calibration error of the probabilities of spans."""

    @classmethod
    def of(cls, metrics: Metrics) -> SplitScores:
        """The scores that are on a card."""
        strict: StrictScores = metrics["strict"]
        return cls(
            all=SpanScores.of(strict["micro"]),
            per_type={label: SpanScores.of(scores) for label, scores in strict["per_type"].items()},
            per_language={language: SpanScores.of(scores) for language, scores in strict["per_language"].items()},
            calibration_error=metrics["calibration"]["spans"]["ece"] if "calibration" in metrics else None,
        )


class ModelIdentity(TypedDict):
    """What decides the spans of a model and their probabilities."""

    weights: str
    layers: object
    labels: object
    temperatures: object


class Kept(Params):
    """Spans that are kept for a precision: of a label, or of all."""

    threshold: float | None = None
    """Smallest probability; None if the precision is not reached, or for all labels."""
    precision: float
    recall: float


class Order(Params):
    """What it costs to keep only spans of some precision."""

    precision: float
    """The precision that is asked for; 0 for all spans."""
    all: Kept
    per_type: dict[str, Kept]
    checked: Kept | None = None
    """All spans of documents that the thresholds were not chosen on; None for too few documents."""


class Figures(Params):
    """What is known about a model.

    Attributes:
        model: digest of the model (`model_digest`).
        data: size of each split.
        scores: scores of the splits that have gold spans.
        thresholds: on dev, by label; empty without dev.
        orders: what the thresholds keep, by split.
    """

    version: Literal[1] = 1
    model: str
    data: dict[str, SplitFigures]
    scores: dict[str, SplitScores]
    thresholds: dict[str, LabelThresholds] = Field(default_factory=dict)
    orders: dict[str, list[Order]] = Field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the file."""
        write_text(path, self.model_dump_json(indent=1) + "\n")


def orders(
    gold: Sequence[Document], predicted: Sequence[Document], found: Mapping[str, LabelThresholds], *, check: bool
) -> list[Order]:
    """What each of `TARGETS` costs, after a row for all spans.

    Args:
        gold: annotated documents.
        predicted: the same documents with predicted spans.
        found: the thresholds.
        check: whether the thresholds were chosen on these documents, so that a check on others is needed.
    """
    rows = []
    for precision in (0.0, *TARGETS):
        least = least_of(found, precision) if precision else dict.fromkeys(found, 0.0)
        by_label = counts(gold, predicted, least)
        checked = cross_checked(gold, predicted, found, precision) if check and precision else None
        rows.append(
            Order(
                precision=precision,
                all=_kept(sum(by_label.values(), Counts())),
                per_type={label: _kept(by_label.get(label, Counts()), least.get(label)) for label in found},
                checked=None if checked is None else _kept(checked),
            )
        )
    return rows


def _kept(found: Counts, threshold: float | None = None) -> Kept:
    scores = found.scores()
    return Kept(threshold=threshold, precision=scores["precision"], recall=scores["recall"])


def figures(
    model: str,
    splits: Mapping[str, Sequence[Document]],
    scores: Mapping[str, Metrics],
    predicted: Mapping[str, Sequence[Document]],
    labels: Sequence[str],
) -> Figures:
    """Collect the figures of a model.

    Args:
        model: digest of the model.
        splits: annotated documents by split.
        scores: scores by split.
        predicted: the documents of dev and test with predicted spans and their probabilities.
        labels: labels of the model.
    """
    found = thresholds(splits["dev"], predicted["dev"], labels) if "dev" in scores else {}
    return Figures(
        model=model,
        data={split: SplitFigures.of(documents, labels) for split, documents in splits.items() if documents},
        scores={split: SplitScores.of(each) for split, each in scores.items()},
        thresholds=found,
        orders={
            split: orders(splits[split], predicted[split], found, check=split == "dev") for split in scores if found
        },
    )


def model_digest(folder: Path) -> str:
    """SHA-256 of what decides the spans of a model and their probabilities.

    A bundle has that of its model, although it names the encoder otherwise.

    Raises:
        DataError: the model is absent or damaged.
    """
    path = folder / "manifest.json"
    try:
        content = json.loads(path.read_bytes())
        identity = ModelIdentity(
            weights=digest_of(folder / "model.safetensors"),
            layers=(content.get("tuned") or {}).get("sha256"),
            labels=content.get("labels"),
            temperatures=content.get("temperatures"),
        )
    except OSError as error:
        raise system_error(error, path) from None
    except (ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: damaged: {error}") from None
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def find_figures(model: Path) -> Path | None:
    """The figures of a model: in its folder, or in the reports of its project; None if there are none."""
    places = (model, model.absolute().parent.parent / "reports")
    return next((place / NAME for place in places if (place / NAME).is_file()), None)


def read_figures(path: Path, model: Path) -> Figures:
    """Read the figures of a model.

    Raises:
        DataError: the file is damaged, or about another model.
    """
    try:
        found = Figures.model_validate_json(path.read_bytes())
    except OSError as error:
        raise system_error(error, path) from None
    except ValidationError as error:
        raise DataError(f"{path}: damaged: {first_problem(error)}; run `dvc repro evaluate`") from None
    if found.model != model_digest(model):
        raise DataError(f"{path}: is about another model than {model}; run `dvc repro evaluate`")
    return found
