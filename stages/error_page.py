"""reports -> reports/errors.html: a page of the errors of the head on dev and test."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("error_page")

from ner_head.base.files import write_text
from ner_head.corpus.documents import Document
from ner_head.corpus.results import judged
from ner_head.evaluation.measures.spans import has_gold, total_counts
from ner_head.evaluation.nbest_files import read_nbest
from ner_head.evaluation.readings import from_nbest
from ner_head.pages.error_page import page

from . import REPORTS, read_predictions, read_split


def main() -> None:
    """Write gold, predictions and readings of dev and test to one page. A split without gold spans is left out."""
    gold, found, readings, splits = list[Document](), list[Document](), [], list[str]()
    summaries = []
    for split in ("dev", "test"):
        annotated = read_split(split)
        if not has_gold(annotated):
            continue
        predicted = read_predictions(REPORTS / f"predictions/{split}.jsonl", split, annotated, stage="evaluate")
        predicted = judged(annotated, predicted)
        path = REPORTS / f"nbest/{split}.txt"
        readings += from_nbest(annotated, read_nbest(path), path)
        gold, found, splits = gold + annotated, found + predicted, splits + [split] * len(annotated)
        counts = total_counts(annotated, predicted)
        f1 = counts.scores()["f1"]
        summaries.append(f"{split}: {len(annotated):,} documents, {counts.gold:,} gold spans, strict F1 {f1:.3f}")
    summary = "; ".join(summaries) or "Nothing to compare: neither dev nor test has gold spans."
    title = f"Errors on {' and '.join(dict.fromkeys(splits)) or 'dev'}"
    write_text(REPORTS / "errors.html", page(title, summary, gold, found, readings, splits))
