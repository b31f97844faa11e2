"""A corpus -> data/prepared: segmented train, dev and test documents."""

from __future__ import annotations

if __name__ == "__main__":
    from stages import start

    start("prepare")

import sys
from collections import Counter
from typing import Any

from ner_head.base.params import read_params
from ner_head.corpus.documents import write_documents
from ner_head.preparation.prepare import PrepareParams, prepare
from stages import PARAMS, PREPARED, REPORTS, write_json


def main() -> None:
    """Read the corpus, write the splits and a report, and print a table of counts."""
    prepared = prepare(read_params(PARAMS, "prepare", PrepareParams))
    for split, documents in prepared.splits.items():
        write_documents(PREPARED / f"{split}.jsonl", documents)
    report = prepared.report()
    write_json(REPORTS / "prepare.json", report)
    print("\n".join([table(report), *prepared.log.lines()]), file=sys.stderr)


def table(report: dict[str, Any]) -> str:
    """A text table of counts by split and language, followed by the counts of problems."""
    lines = [f"{'split':6}{'language':10}{'documents':>10}{'sentences':>10}{'words':>10}  spans"]
    for split, languages in report["splits"].items():
        for language, row in languages.items():
            numbers = f"{row['documents']:>10,}{row['sentences']:>10,}{row['words']:>10,}"
            spans = " ".join(f"{label} {count:,}" for label, count in Counter(row["spans"]).most_common())
            lines.append(f"{split:6}{language:10}{numbers}  {spans}")
    lines += [f"{count:,} {kind}" for kind, count in report["problems"].items() if count]
    return "\n".join(lines)
