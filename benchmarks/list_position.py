"""The span measure of the paper's authors, by which their notebook reads micro F1 0.741: `get_bert_span_report`.

    python -m benchmarks.list_position [data/prepared/dev.jsonl reports/predictions/dev.jsonl]

Each sentence becomes a list: an entity is one item, a word outside of entities another. Neighbouring words of one
type are one entity, because the distinction of B and I is lost before. Gold and predicted lists are compared item by
item, by their place in the list; the shorter one is filled up with O. So the offsets play no part, and one entity too
many shifts all that follows. It is here to compare like with like, and for nothing else.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, zip_longest
from pathlib import Path

from ner_head.corpus.documents import Document, Sentence, Span, word_spans
from ner_head.corpus.records import read_documents
from ner_head.evaluation.measures.spans import Counts

OUTSIDE = "O"


def items(sentence: Sentence, spans: Iterable[Span]) -> list[str]:
    """A sentence as the list that the authors compare."""
    labels = [OUTSIDE] * len(sentence.words)
    for span in word_spans(sentence, spans):
        labels[span.start : span.end] = [span.label] * (span.end - span.start)
    return [label for label, run in groupby(labels) for _ in (run if label == OUTSIDE else [0])]


def pairs(gold: Document, predicted: Document) -> Iterator[tuple[str, str]]:
    """Items of the same place, gold first."""
    for sentence in gold.sentences:
        both = items(sentence, gold.spans), items(sentence, predicted.spans)
        yield from zip_longest(*both, fillvalue=OUTSIDE)


def list_position_counts(gold: Iterable[Document], predicted: Iterable[Document]) -> dict[str, Counts]:
    """Counts by label."""
    right, wanted, found = Counter[str](), Counter[str](), Counter[str]()
    for one, other in zip(gold, predicted, strict=True):
        for true, guess in pairs(one, other):
            wanted[true] += 1
            found[guess] += 1
            right[true] += true == guess
    return {
        label: Counts(right[label], found[label], wanted[label]) for label in sorted(wanted | found) if label != OUTSIDE
    }


def main() -> None:
    """Print micro and macro F1, and F1 by label."""
    gold, predicted = map(Path, sys.argv[1:] or ["data/prepared/dev.jsonl", "reports/predictions/dev.jsonl"])
    counts = list_position_counts(read_documents(gold), read_documents(predicted))
    f1 = {label: count.scores()["f1"] for label, count in counts.items()}
    micro = sum(counts.values(), Counts()).scores()["f1"]
    print(f"micro F1 {micro:.3f}, macro F1 {sum(f1.values()) / len(f1):.3f}", {k: round(v, 3) for k, v in f1.items()})


if __name__ == "__main__":
    main()
