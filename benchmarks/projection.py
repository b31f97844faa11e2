"""Projected mentions of a bsnlp2019 corpus against the offsets of slavicner for the same documents.

    python -m benchmarks.projection BSNLP2019_FOLDER SLAVICNER_FOLDER

The texts differ in line ends, zero-width characters and a few spaces, so both sides are compared by the visible
characters that a span covers, counted from the start of the text.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import accumulate
from pathlib import Path

import regex

from ner_head.corpus.documents import Document
from ner_head.formats import bsnlp, slavicner
from ner_head.formats.discovery import topic_folders
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions

BAR = 0.995
HIDDEN = regex.compile(r"[\s\p{Cf}]+")


def comparable_spans(document: Document) -> set[tuple[int, int, str]]:
    """Spans in visible characters instead of characters."""
    visible = bytearray(b"\1" * len(document.text))
    for match in HIDDEN.finditer(document.text):
        visible[match.start() : match.end()] = bytes(len(match[0]))
    before = [0, *accumulate(visible)]
    return {(before[span.start], before[span.end], span.label) for span in document.spans}


def stripped(document: Document) -> str:
    """The visible characters of the text."""
    return HIDDEN.sub("", document.text)


def main(projected: Path, reference: Path) -> None:
    """Print recall and precision, by language and over all."""
    names = {
        (document.topic, document.language, document.id): path.stem
        for topic, language, folder in topic_folders(projected / "raw", ReaderOptions(), ReaderLog())
        for path in sorted(folder.glob("*.txt"))
        for document in [bsnlp.read_raw(path, topic=topic, language=language)]
    }
    gold = {(d.topic, d.language, d.id): d for d, _ in slavicner.read(reference, ReaderOptions(), ReaderLog())}
    counts: Counter[tuple[str, str]] = Counter()
    problems: Counter[str] = Counter()
    for document, found in bsnlp.read(projected, ReaderOptions(), ReaderLog()):
        key = (document.topic, document.language, names[document.topic, document.language, document.id])
        problems.update(problem.kind for problem in found)
        if key not in gold or stripped(gold[key]) != stripped(document):
            problems["no such text in the reference"] += 1
            continue
        wanted, got = comparable_spans(gold[key]), comparable_spans(document)
        for where in (document.language, "all"):
            counts.update({(where, "hit"): len(wanted & got), (where, "gold"): len(wanted), (where, "got"): len(got)})
    print("| language | gold spans | projected | recall | precision |\n|---|---|---|---|---|")
    for where in sorted({where for where, _ in counts}, key=lambda name: (name == "all", name)):
        hit, n_gold, n_got = (counts[where, name] for name in ("hit", "gold", "got"))
        print(f"| {where} | {n_gold:,} | {n_got:,} | {hit / n_gold:.4f} | {hit / n_got:.4f} |")
    print(f"\nbars: recall and precision >= {BAR}; problems: {dict(problems)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
