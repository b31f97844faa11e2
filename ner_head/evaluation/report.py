"""The scores of a run, as `reports/metrics.json` and as a table for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.evaluation.bsnlp_counts import ALL
from ner_head.evaluation.bsnlp_documents import strict_form_scores
from ner_head.evaluation.spans import Counts, Scores, StrictScores, strict_scores, word_macro_f1


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
    """The scores of one split; `language` only where the tagger guesses languages."""

    strict: StrictScores
    bsnlp_strict: dict[str, Scores]
    word: Scores
    language: NotRequired[Scores]


def metrics(
    gold: Sequence[Document], predicted: Sequence[Document], languages: LanguageHits = LanguageHits(0, 0)
) -> Metrics:
    """All scores of a split.

    Args:
        gold: annotated documents.
        predicted: the same documents with predicted spans.
        languages: how often the classifier was right, over sentences of known language.
    """
    scores: Metrics = {
        "strict": strict_scores(gold, predicted),
        "bsnlp_strict": strict_form_scores(gold, predicted),
        "word": {"macro_f1": word_macro_f1(gold, predicted)},
    }
    if languages.total:
        scores["language"] = {"accuracy": languages.accuracy, "sentences": languages.total}
    return scores


def has_scores(split: str, gold: Sequence[Document]) -> bool:
    """Dev always has; another split where it has gold: a blind topic is predicted only."""
    return split == "dev" or any(document.spans for document in gold)


def to_json(scores: Mapping[str, Metrics]) -> str:
    """`metrics.json`: the scores of dev, and beside them those of other splits under their names."""
    others = {split: found for split, found in scores.items() if split != "dev"}
    return json.dumps({**scores["dev"], **others}, indent=2) + "\n"


def from_json(text: str) -> dict[str, Metrics]:
    """Inverse of `to_json`."""
    content = json.loads(text)
    others = {split: content.pop(split) for split in sorted(content.keys() - Metrics.__annotations__.keys())}
    return {"dev": content, **others}


def language_hits(gold: Sequence[Document], guesses: Sequence[Sequence[str]]) -> LanguageHits:
    """Count sentences whose language was guessed; `guesses` has one list per document, empty without classifier."""
    pairs = [
        (document.language, guess)
        for document, row in zip(gold, guesses, strict=True)
        for guess in row
        if document.language != UNKNOWN_LANGUAGE
    ]
    return LanguageHits(sum(a == b for a, b in pairs), len(pairs))


def table(name: str, taggers: Mapping[str, Metrics]) -> str:
    """A Markdown table of strict span scores, taggers side by side, and below it a line of other scores for each.

    Args:
        name: what was scored.
        taggers: scores of the same documents, by the tagger's name.
    """
    columns = "".join(f" {tagger} precision | recall | F1 |" for tagger in taggers)
    lines = [f"| {name} | gold spans |{columns}", "|---|---|" + "---|---|---|" * len(taggers)]
    found = [rows(scores["strict"]) for scores in taggers.values()]
    for place in sorted(set().union(*found)):
        cells = [scores.get(place, Counts().scores()) for scores in found]
        gold = max(cell["gold"] for cell in cells)
        numbers = "".join(f" {c['precision']:.3f} | {c['recall']:.3f} | {c['f1']:.3f} |" for c in cells)
        lines.append(f"| {place[1]} | {gold} |{numbers}")
    return "\n".join([*lines, "", *(f"- {tagger}: {below(scores)}" for tagger, scores in taggers.items())]) + "\n"


def rows(strict: StrictScores) -> dict[tuple[int, str], Scores]:
    """All, then types, then languages; by place in the table and name."""
    types = {(1, label): scores for label, scores in strict["per_type"].items()}
    languages = {(2, language): scores for language, scores in strict["per_language"].items()}
    return {(0, "**all (micro)**"): strict["micro"], **types, **languages}


def below(scores: Metrics) -> str:
    """The scores that are no rows of the table."""
    line = (
        f"macro F1 over types {scores['strict']['macro']['f1']:.3f}; "
        f"strict F1 of the BSNLP task (forms, not positions) {scores['bsnlp_strict'][ALL]['f1']:.3f}; "
        f"word-level macro F1 (with O) {scores['word']['macro_f1']:.3f}"
    )
    if "language" in scores:
        hits = scores["language"]
        line += f"; language accuracy {hits['accuracy']:.3f} over {hits['sentences']} sentences"
    return line
