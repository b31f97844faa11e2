"""Time and memory of linking made-up mentions: `python -m benchmarks.linking 1000000`."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ner_head.corpus.documents import Document, Span
from ner_head.linking.linker import Linker
from ner_head.linking.network import PairNetwork
from ner_head.linking.params import LinkParams

PER_DOCUMENT, WIDTH = 100, 384
SYLLABLES = ("ka", "ro", "mi", "sta", "vel", "du", "pe", "lin", "zo", "bra", "tu", "gen")


class Made(Sequence[Any]):
    """Vectors of the mentions of each document, made when they are asked for."""

    def __init__(self, ids: np.ndarray, base: np.ndarray) -> None:
        self.ids, self.base = ids, base

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Any) -> Any:
        return [self.base[number % len(self.base)][None, None] for number in self.ids[index]]


def main(n_mentions: int, *, seed: int = 0) -> None:
    """Link mentions whose names are as frequent as words (Zipf), one new name for about ten mentions."""
    random = np.random.default_rng(seed)
    n_names = max(n_mentions // 10, 1)
    names = [" ".join("".join(random.choice(SYLLABLES, 3)).title() for _ in range(1 + i % 2)) for i in range(n_names)]
    ids = np.minimum(random.zipf(1.3, (n_mentions // PER_DOCUMENT, PER_DOCUMENT)) - 1, n_names - 1)
    ids = np.where(random.random(ids.shape) < 0.5, random.integers(0, n_names, ids.shape), ids)
    documents = []
    for number, row in enumerate(ids):
        words = [names[i] for i in row]
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])
        spans = tuple(Span(int(s), int(s) + len(w), "PER", lemma=w) for s, w in zip(starts, words, strict=False))
        documents.append(Document(str(number), " ".join(words), ("cs", "pl", "bg", "ru")[number % 4], "t", (), spans))
    base = random.standard_normal((4096, WIDTH)).astype(np.float16)
    torch.manual_seed(seed)
    linker = Linker(LinkParams(layers=[8]), {}, {}, PairNetwork(40, 32).eval())
    before, start, cpu = peak(), time.perf_counter(), time.process_time()
    found = linker.link(documents, Made(ids, base))
    print(
        f"{ids.size:,} mentions, {len(found.certainties):,} entities: {time.perf_counter() - start:.0f} s, "
        f"{time.process_time() - cpu:.0f} CPU s, {peak() - before:.0f} MB more than the documents ({before:.0f} MB)"
    )


def peak() -> float:
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
