"""reports -> reports/errors.html: a page of the errors of the head on dev."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("error_page")

from ner_head.corpus.results import judged
from ner_head.evaluation.measures.spans import total_counts
from ner_head.evaluation.nbest_files import read_nbest
from ner_head.evaluation.readings import from_nbest
from ner_head.pages.error_page import page

from . import REPORTS, read_predictions, read_split

PREDICTIONS, READINGS = REPORTS / "predictions/dev.jsonl", REPORTS / "nbest/dev.txt"


def main() -> None:
    """Write gold, predictions and readings of dev to one page."""
    gold = read_split("dev")
    predicted = judged(gold, read_predictions(PREDICTIONS, "dev", gold, stage="evaluate"))
    readings = from_nbest(gold, read_nbest(READINGS), READINGS)
    counts = total_counts(gold, predicted)
    summary = f"{len(gold):,} documents, {counts.gold:,} gold spans, strict F1 {counts.scores()['f1']:.3f}"
    if not counts.gold:
        summary = f"Nothing to compare: dev has {'no gold spans' if gold else 'no documents'}."
        gold, predicted, readings = [], [], []
    (REPORTS / "errors.html").write_text(page("Errors on dev", summary, gold, predicted, readings), encoding="utf-8")
