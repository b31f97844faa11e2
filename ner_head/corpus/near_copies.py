"""Groups of documents that share much of their text: versions of one article, or of one press release."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from zlib import crc32

import numpy as np

from ner_head.base.extras import require_extra
from ner_head.corpus.documents import Document

SHINGLE = 5  # words
COMMON = 30  # shingles and forms in more documents are ignored
COPY = 0.3  # share of common shingles, of those of the shorter document, from which two documents are near copies


def near_copies(documents: Sequence[Document]) -> list[list[int]]:
    """Groups of indices of documents that share much of their text; most groups have one document.

    The groups are the connected components of `copy_links`, in the order of their first documents.

    Raises:
        UsageError: scipy is not installed.
    """
    return connected(len(documents), copy_links(documents))


def copy_links(documents: Sequence[Document]) -> list[tuple[int, int]]:
    """Pairs of indices of documents that share at least `COPY` of the shingles of the shorter one."""
    shingles = [_shingles(document) for document in documents]
    holders: dict[int, list[int]] = defaultdict(list)
    for i, found in enumerate(shingles):
        for shingle in found:
            holders[shingle].append(i)
    shared = Counter(
        (a, b) for each in holders.values() if 1 < len(each) <= COMMON for k, b in enumerate(each) for a in each[:k]
    )
    return [(a, b) for (a, b), n in shared.items() if n >= COPY * min(len(shingles[a]), len(shingles[b]))]


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


def _shingles(document: Document) -> set[int]:
    """Hashes of all runs of `SHINGLE` words (Broder, 1997)."""
    words = document.text.lower().split()
    runs = (" ".join(words[i : i + SHINGLE]) for i in range(max(len(words) - SHINGLE + 1, 1)))
    return {crc32(run.encode("utf-8", "surrogatepass")) for run in runs}
