"""The scores of a run, as `reports/metrics.json` and as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.evaluation.spans import Scores, StrictScores, strict_scores, word_macro_f1


@dataclass(frozen=True)
class LanguageHits:
    """Right and all guesses of the language classifier."""

    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """0 where there was nothing to guess."""
        return self.right / self.total if self.total else 0.0


class Metrics(TypedDict):
    """`reports/metrics.json`, for one split."""

    strict: StrictScores
    word: Scores
    language: Scores


def metrics(gold: Sequence[Document], predicted: Sequence[Document], languages: LanguageHits) -> Metrics:
    """All scores of a split.

    Args:
        gold: annotated documents.
        predicted: the same documents with predicted spans.
        languages: how often the classifier was right, over sentences of known language.
    """
    return {
        "strict": strict_scores(gold, predicted),
        "word": {"macro_f1": word_macro_f1(gold, predicted)},
        "language": {"accuracy": languages.accuracy, "sentences": languages.total},
    }


def language_hits(gold: Sequence[Document], guesses: Sequence[Sequence[str]]) -> LanguageHits:
    """Count sentences whose language was guessed; `guesses` has one list per document, empty without classifier."""
    pairs = [
        (document.language, guess)
        for document, row in zip(gold, guesses, strict=True)
        for guess in row
        if document.language != UNKNOWN_LANGUAGE
    ]
    return LanguageHits(sum(a == b for a, b in pairs), len(pairs))


def table(name: str, scores: Metrics) -> str:
    """A Markdown table of strict span scores: all, per type, per language; then the word and language lines."""
    strict = scores["strict"]
    rows = [("**all (micro)**", strict["micro"]), *strict["per_type"].items(), *strict["per_language"].items()]
    lines = [f"| {name} | precision | recall | F1 | gold spans |", "|---|---|---|---|---|"]
    lines += [
        f"| {label} | {s['precision']:.3f} | {s['recall']:.3f} | {s['f1']:.3f} | {s['gold']} |" for label, s in rows
    ]
    lines.append(
        f"\nMacro F1 over types {strict['macro']['f1']:.3f}; "
        f"word-level macro F1 (with O) {scores['word']['macro_f1']:.3f}; "
        f"language accuracy {scores['language']['accuracy']:.3f} over {scores['language']['sentences']} sentences."
    )
    return "\n".join(lines) + "\n"
