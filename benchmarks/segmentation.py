"""How sentences and words fit the gold mentions of a slavicner corpus.

    python -m benchmarks.segmentation SLAVICNER_FOLDER

Cut: mentions that cross a sentence boundary. Misaligned: mentions that begin or end inside a word. The lengths
of sentences, in words, stand beside them because never splitting would cut nothing.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

from ner_head.corpus.documents import Document
from ner_head.corpus.segment import SEGMENTATION, segment
from ner_head.formats import slavicner
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions

BAR_CUT, BAR_MISALIGNED = 0.003, 0.0005


class Figures:
    """Sums over documents."""

    def __init__(self) -> None:
        self.mentions = self.cut = self.misaligned = 0
        self.lengths: list[int] = []

    def add(self, document: Document) -> None:
        """Segment a document and count."""
        sentences = segment(document.text, document.language)
        sentence_of = {i: n for n, sentence in enumerate(sentences) for i in range(sentence.start, sentence.end)}
        words = [word for sentence in sentences for word in sentence.words]
        starts, ends = {word.start for word in words}, {word.end for word in words}
        self.lengths += [len(sentence.words) for sentence in sentences]
        self.mentions += len(document.spans)
        self.cut += sum(sentence_of[span.start] != sentence_of[span.end - 1] for span in document.spans)
        self.misaligned += sum(span.start not in starts or span.end not in ends for span in document.spans)

    def row(self, name: str) -> str:
        """A line of the table."""
        cut, misaligned = (f"{count} ({count / self.mentions:.4%})" for count in (self.cut, self.misaligned))
        p99 = sorted(self.lengths)[int(len(self.lengths) * 0.99)]
        return (
            f"| {name} | {self.mentions:,} | {cut} | {misaligned} | {len(self.lengths):,} "
            f"| {mean(self.lengths):.1f} | {p99} | {max(self.lengths)} |"
        )


def main(source: Path) -> None:
    """Print the table, by language and over all."""
    figures: defaultdict[str, Figures] = defaultdict(Figures)
    for document, _ in slavicner.read(source, ReaderOptions(), ReaderLog()):
        figures[document.language].add(document)
        figures["all"].add(document)
    print(f"{SEGMENTATION}; bars: cut <= {BAR_CUT:.2%}, misaligned <= {BAR_MISALIGNED:.2%}\n")
    print("| language | mentions | cut | misaligned | sentences | mean words | p99 | max |\n" + "|---" * 8 + "|")
    for name in sorted(figures, key=lambda name: (name == "all", name)):
        print(figures[name].row(name))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
