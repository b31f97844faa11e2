"""Groups of a stream of documents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.prediction.groups import LARGEST, PAUSE, SMALLEST, Pause, grouped, parts


def of_sizes(*sizes: int) -> list[Document]:
    return [Document(str(number), "x" * size) for number, size in enumerate(sizes)]


def test_groups_hold_all_documents_in_order_and_grow_up_to_a_limit() -> None:
    documents = of_sizes(*[500] * 1000)
    groups = list(grouped(documents))
    assert [document for group in groups for document in group] == documents
    sizes = [sum(len(document.text) for document in group) for group in groups]
    assert sizes[0] <= SMALLEST
    assert SMALLEST < max(sizes) <= LARGEST
    assert sizes[:-1] == sorted(sizes[:-1])


def test_a_long_document_is_a_group_of_its_own() -> None:
    documents = of_sizes(10, 10 * LARGEST, 10)
    assert list(grouped(documents)) == [[document] for document in documents]


def test_a_pause_ends_a_group() -> None:
    one, two, three = of_sizes(1, 1, 1)
    assert list(grouped([PAUSE, one, two, PAUSE, three])) == [[], [one, two], [], [three]]


def test_an_error_comes_after_the_documents_before_it() -> None:
    def stream() -> Iterator[Document | Pause]:
        yield from of_sizes(1, 1)
        raise DataError("no more")

    groups = grouped(stream())
    assert len(next(groups)) == 2
    with pytest.raises(DataError, match="no more"):
        next(groups)


@pytest.mark.parametrize("whole", [False, True])
def test_parts_hold_all_sentences_in_order_up_to_a_number_of_pieces(whole: bool) -> None:
    documents = [["x" * 3000, "x" * 4000, "x" * 2000], ["x" * 10_000], [], ["x" * 10] * 3]
    cut = list(parts(documents, whole_documents=whole))
    assert [s for part in cut for sentences in part for s in sentences] == [s for d in documents for s in d]
    sizes = [[len(sentence) for sentences in part for sentence in sentences] for part in cut]
    if whole:
        assert sizes == [[3000, 4000, 2000], [10_000], [10, 10, 10]]
    else:
        assert sizes == [[3000, 4000], [2000], [10_000], [10, 10, 10]]
