"""A corpus -> data/prepared: segmented train, dev and test documents."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("prepare")

import sys

from ner_head.base.errors import harmless
from ner_head.base.params import read_params
from ner_head.corpus.records import write_documents
from ner_head.preparation.prepare import PrepareParams, prepare, table

from . import PARAMS, PREPARED, REPORTS, write_json


def main() -> None:
    """Read the corpus, write the splits and a report, and print a table of counts."""
    prepared = prepare(read_params(PARAMS, "prepare", PrepareParams))
    for split, documents in prepared.splits.items():
        write_documents(PREPARED / f"{split}.jsonl", documents)
    report = prepared.report()
    write_json(REPORTS / "prepare.json", report)
    print(harmless("\n".join([table(report), *prepared.log.lines()])), file=sys.stderr)
