"""How often `prepare.glue` puts spaces where the text has them: `python -m benchmarks.glue FOLDER_OF_SLAVICNER`."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from operator import eq
from pathlib import Path

from ner_head.corpus.segment import segment
from ner_head.formats import slavicner
from ner_head.formats.glue import spaces_before
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions


def main() -> None:
    """Print, by language, the share of right gaps with a space everywhere, and with the rules."""
    gaps, everywhere, right = Counter[str](), Counter[str](), Counter[str]()
    for document, _ in slavicner.read(Path(sys.argv[1]), ReaderOptions(), ReaderLog()):
        for sentence in segment(document.text, document.language):
            words = [word.text for word in sentence.words]
            found = spaces_before(words, document.language, hyphens_apart=True)[1:]
            true = [b.start > a.end for a, b in pairwise(sentence.words)]
            gaps[document.language] += len(true)
            everywhere[document.language] += sum(true)
            right[document.language] += sum(map(eq, true, found))
    for language, count in sorted(gaps.items()):
        shares = f"{everywhere[language] / count:.4f} with a space everywhere, {right[language] / count:.4f} by rules"
        print(f"{language} {count:,} gaps: {shares}")


if __name__ == "__main__":
    main()
