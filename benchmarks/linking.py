"""Time and memory of linking made-up mentions: `python -m benchmarks.linking models/links 1000000`."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ner_head.corpus.documents import Document, Span
from ner_head.linking.linker import Linker

LANGUAGES = ("bg", "cs", "pl", "ru")
LABELS, SHARES = ("PER", "ORG", "LOC", "PRO", "EVT"), (0.4, 0.25, 0.2, 0.1, 0.05)
PER_DOCUMENT, PER_NAME = 20, 10
SYLLABLES = ("ka", "ro", "mi", "sta", "vel", "du", "pe", "lin", "zo", "bra", "tu", "gen", "no", "vi", "chy", "sel", "a")


class Made(Sequence[Any]):
    """Vectors of the mentions of each document, made when they are asked for."""

    def __init__(self, ids: np.ndarray, base: np.ndarray) -> None:
        self.ids, self.base = ids, base

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Any) -> Any:
        return [self.base[number % len(self.base)][None] for number in self.ids[index]]


def main(folder: Path, n_mentions: int, *, seed: int = 0) -> None:
    """Link mentions of as many names as a tenth of them.

    Names have one to three words. Words of names are as frequent as words of texts (Zipf, 1949), and so are names: half
    of the mentions are of frequent names.
    """
    linker = Linker.load(folder)
    random = np.random.default_rng(seed)
    n_names = max(n_mentions // PER_NAME, 4)
    n_words = max(n_names // 2, 100)
    words = ["".join(random.choice(SYLLABLES, random.integers(2, 5))).title() for _ in range(n_words)]
    ranks = np.minimum(random.zipf(1.2, (n_names, 3)) - 1, n_words - 1)
    names = [" ".join(words[rank] for rank in row[: 1 + i % 3]) for i, row in enumerate(ranks)]
    labels = random.choice(LABELS, n_names, p=SHARES).tolist()
    ids = np.minimum(random.zipf(1.3, (n_mentions // PER_DOCUMENT, PER_DOCUMENT)) - 1, n_names - 1)
    ids = np.where(random.random(ids.shape) < 0.5, random.integers(0, n_names, ids.shape), ids)
    documents = []
    for number, row in enumerate(ids):
        language = number % 4
        row[:] = np.minimum(row // 4 * 4 + language, n_names - 1)  # each language has names of its own
        starts = np.cumsum([0, *(len(names[i]) + 1 for i in row)]).tolist()
        spans = (Span(at, at + len(names[i]), labels[i]) for at, i in zip(starts, row.tolist(), strict=False))
        text = " ".join(names[i] for i in row)
        documents.append(Document(str(number), text, LANGUAGES[language], "made", (), tuple(spans)))
    layers, width = next(iter(linker.means.values())).shape
    base = random.standard_normal((min(n_names, 20_000), layers, width)).astype(np.float16)
    before, start, cpu = peak(), time.perf_counter(), time.process_time()
    found = linker.link(documents, Made(ids, base))
    print(
        f"{ids.size:,} mentions, {len(np.unique(ids)):,} names, {len(found.certainties):,} entities: "
        f"{time.perf_counter() - start:.0f} s, {time.process_time() - cpu:.0f} CPU s, "
        f"{peak() - before:.0f} MB more than the documents ({before:.0f} MB)"
    )


def peak() -> float:
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
