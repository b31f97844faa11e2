"""Groups of documents that share much of their text: versions of one article, or of one press release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ner_head.base.extras import require_extra
from ner_head.corpus.documents import Document

SHINGLE = 5  # words
COMMON = 30  # shingles and forms in more documents are ignored
PAIRS = 10_000_000  # pairs of documents whose common shingles are counted at once
COPY = 0.3  # share of common shingles, of those of the shorter document, from which two documents are near copies


def near_copies(documents: Sequence[Document]) -> list[list[int]]:
    """Groups of indices of documents that share much of their text; most groups have one document.

    The groups are the connected components of `copy_links`, in the order of their first documents.

    Raises:
        UsageError: scipy is not installed.
    """
    return connected(len(documents), copy_links(documents))


def copy_links(documents: Sequence[Document]) -> list[tuple[int, int]]:
    """Pairs (a, b), a < b, of indices of documents that share at least `COPY` of the shingles of the shorter one.

    The pairs are sorted. Memory grows with the number of shingles, and is that of about `PAIRS` pairs beside them.
    """
    shingles = [_shingles(document) for document in documents]
    sizes = np.array([len(found) for found in shingles], dtype=np.int64)
    counted = (_frequent(a, b, sizes) for a, b in _sharing(shingles))
    return [pair for pairs in counted for pair in pairs]


def _sharing(shingles: Sequence[NDArray[np.uint32]]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of documents a < b, once for each shingle that both have and at most `COMMON` documents have.

    Yields:
        The documents a and b of about `PAIRS` pairs. All pairs of a document a are in one part, and the parts are in
        the order of a.
    """
    holders, left = _holders(shingles)
    by_document = np.argsort(holders, kind="stable")
    documents, totals = holders[by_document], np.cumsum(left[by_document])
    start = done = 0
    while start < len(documents):
        last = documents[min(int(np.searchsorted(totals, done + PAIRS)), len(documents) - 1)]
        end = int(np.searchsorted(documents, last, side="right"))
        places = by_document[start:end]
        repeats = left[places]
        first = np.repeat(places, repeats)
        steps = np.arange(1, len(first) + 1) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        yield holders[first], holders[first + steps]
        start, done = end, int(totals[end - 1])


def _holders(shingles: Sequence[NDArray[np.uint32]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The documents of each shingle that several documents have, but not more than `COMMON`: runs in rising order.

    Returns:
        The documents, and for each place the number of places after it in its run.
    """
    values = np.concatenate([np.zeros(0, np.uint32), *shingles])
    order = np.argsort(values, kind="stable")  # stable: within a run, documents are in order
    counts = np.unique(values, return_counts=True)[1]
    chosen = (counts > 1) & (counts <= COMMON)
    holders = np.repeat(np.arange(len(shingles)), [len(found) for found in shingles])
    holders, counts = holders[order][np.repeat(chosen, counts)], counts[chosen]
    return holders, np.repeat(np.cumsum(counts), counts) - np.arange(1, len(holders) + 1)


def _frequent(a: NDArray[np.int64], b: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The pairs that are repeated at least `COPY` times the size of the smaller document, sorted."""
    codes, times = np.unique(a * len(sizes) + b, return_counts=True)
    a, b = codes // len(sizes), codes % len(sizes)
    chosen = times >= COPY * np.minimum(sizes[a], sizes[b])
    return list(zip(a[chosen].tolist(), b[chosen].tolist(), strict=True))


def connected(n: int, links: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The connected components of a graph of n nodes, in the order of their first nodes.

    Raises:
        UsageError: scipy is not installed.
    """
    require_extra("train", "scipy")
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = np.array(links, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (rows, columns)), shape=(n, n))
    groups: dict[int, list[int]] = defaultdict(list)
    for i, component in enumerate(connected_components(graph, directed=False)[1].tolist() if n else ()):
        groups[component].append(i)
    return list(groups.values())


def _shingles(document: Document) -> NDArray[np.uint32]:
    """Hashes of all runs of `SHINGLE` words, each once (Broder, 1997)."""
    words = document.text.lower().split()
    runs = (" ".join(words[i : i + SHINGLE]) for i in range(max(len(words) - SHINGLE + 1, 1)))
    found = {crc32(run.encode("utf-8", "surrogatepass")) for run in runs}
    return np.fromiter(found, np.uint32, len(found))
