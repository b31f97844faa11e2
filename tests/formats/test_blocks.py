from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.formats.blocks import into_documents


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([3, 3, 3, 3], [[3, 3], [3, 3]]),
        ([6, 6, 2], [[6], [6, 2]]),  # too little for a document
        ([6, 6, 3], [[6], [6], [3]]),
        ([100], [[100]]),
        ([1, 1], [[1, 1]]),
        ([], [[]]),
    ],
)
def test_blocks_become_documents_of_about_six_words(sizes: list[int], expected: list[list[int]]) -> None:
    documents = into_documents([["x"] * size for size in sizes], 6)
    assert [[len(block) for block in document] for document in documents] == expected


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=9), min_size=1), st.integers(1, 20))
def test_no_block_is_lost_and_no_document_is_short(blocks: list[list[int]], n_words: int) -> None:
    documents = into_documents(blocks, n_words)
    assert list(chain.from_iterable(documents)) == blocks
    sizes = [sum(map(len, document)) for document in documents]
    longest = max(map(len, blocks))
    assert len(sizes) == 1 or all(n_words / 2 <= size < 1.5 * n_words + longest for size in sizes)
