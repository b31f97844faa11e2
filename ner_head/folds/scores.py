"""Scores of out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ner_head.corpus.documents import Document
from ner_head.evaluation.measures.slices import strict_scores
from ner_head.evaluation.measures.spans import Scores, total_counts
from ner_head.folds.heads import SubsetHeads
from ner_head.folds.out_of_fold import Fold
from ner_head.inference.predictions import predict_from_store


@dataclass(frozen=True)
class FoldScores:
    """Strict scores of k folds.

    Attributes:
        folds: number of held-out documents and scores of each fold.
        total: scores over all held-out documents, with an interval over documents.
        per_type: scores of each type over all held-out documents.
        predicted: predicted documents, in the order of the corpus.
    """

    folds: list[tuple[int, Scores]]
    total: Scores
    per_type: dict[str, Scores]
    predicted: list[Document]

    def as_dict(self) -> dict[str, Any]:
        """Scores as JSON."""
        rows = [{"documents": n, **scores} for n, scores in self.folds]
        return {"folds": rows, "total": self.total, "per_type": self.per_type, "pieces_computed": 0}


def fold_scores(folds: Sequence[Fold], documents: Sequence[Document], heads: SubsetHeads) -> FoldScores:
    """Predict the held-out documents of each fold, and score them."""
    rows, found = list[tuple[int, Scores]](), dict[int, Document]()
    for fold in folds:
        held = [documents[i] for i in fold.held]
        languages = heads.session.manifest.languages
        each = predict_from_store(fold.tagger, held, heads.store, languages, probabilities=True)
        predicted = [prediction.document for prediction in each]
        found |= dict(zip(fold.held, predicted, strict=True))
        rows.append((len(held), total_counts(held, predicted).scores()))
    order = sorted(found)
    predicted = [found[i] for i in order]
    scores = strict_scores([documents[i] for i in order], predicted)
    return FoldScores(rows, scores["micro"], scores["per_type"], predicted)


def table(found: FoldScores) -> str:
    """The scores as text: a row for each fold, one for all, and one for each type."""
    lines = [f"{'':10}{'documents':>10}{'spans':>8}{'P':>8}{'R':>8}{'F1':>8}"]
    lines += [_row(f"fold {number}", n, scores) for number, (n, scores) in enumerate(found.folds)]
    lines.append(_row("all", len(found.predicted), found.total))
    lines += [_row(label, "", scores) for label, scores in found.per_type.items()]
    return "\n".join(lines)


def _row(name: str, n: int | str, scores: Scores) -> str:
    marks = "".join(f"{scores[key]:8.3f}" for key in ("precision", "recall", "f1"))
    low, high = scores.get("f1_low"), scores.get("f1_high")
    interval = f"  ({low:.3f} to {high:.3f})" if low is not None and high is not None else ""
    return f"{name:10}{n:>10}{scores['gold']:>8.0f}{marks}{interval}"
