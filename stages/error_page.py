"""reports -> reports/errors.html: what the head got wrong on dev, to look at."""

from __future__ import annotations

if __name__ == "__main__":
    from stages import start

    start("error_page")

from pathlib import Path

from ner_head.base.errors import DataError
from ner_head.corpus.documents import read_documents
from ner_head.evaluation.measures.spans import Counts, strict_counts
from ner_head.evaluation.nbest_files import read_nbest
from ner_head.evaluation.readings import from_nbest
from ner_head.pages.error_page import page
from stages import PREPARED, REPORTS

PREDICTIONS, READINGS = REPORTS / "predictions/dev.jsonl", REPORTS / "nbest/dev.txt"


def main() -> None:
    """Put gold, predictions and readings of dev on one page."""
    gold = list(read_documents(PREPARED / "dev.jsonl"))
    predicted = list(read_documents(PREDICTIONS))
    if [document.key for document in gold] != [document.key for document in predicted]:
        raise DataError(f"{PREDICTIONS}: other documents than {PREPARED / 'dev.jsonl'}; run `dvc repro evaluate`")
    readings = from_nbest(gold, read_nbest(READINGS), READINGS)
    counts = Counts()
    for wanted, found in zip(gold, predicted, strict=True):
        counts = sum(strict_counts(wanted.spans, found.spans).values(), counts)
    summary = f"{len(gold):,} documents, {counts.gold:,} gold spans, strict F1 {counts.scores()['f1']:.3f}"
    if not counts.gold:
        summary = f"Nothing to compare: dev has {'no gold spans' if gold else 'no documents'}."
        gold, predicted, readings = [], [], []
    Path(REPORTS / "errors.html").write_text(
        page("Errors on dev", summary, gold, predicted, readings), encoding="utf-8"
    )
