"""Sentences and tokens that hold the spans of a document, for formats that are made of tokens."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment

_RUN = re.compile(r"\S+")  # as str.isspace, which `regex` does not follow for U+001C
Range: TypeAlias = tuple[int, int]
"""Characters [start, end)."""


def layout(document: Document, *, cut: bool, white: bool) -> list[list[Range]]:
    """The tokens of each sentence of a document: its words, by segmentation if it has none, and further ones.

    Characters that no word covers are tokens of their own if they are not white space.

    Args:
        document: the document.
        cut: cut words at the ends of spans, so that each span is a sequence of whole tokens.
        white: make tokens of the white space at the ends of spans, too.
    """
    sentences = document.sentences or segment(document.text, document.language)
    words = [[(word.start, word.end) for word in sentence.words] for sentence in sentences]
    starts, ends = {span.start for span in document.spans}, {span.end for span in document.spans}
    edges = sorted(starts | ends)
    laid = [list(_cut(tokens, edges)) if cut else tokens for tokens in words]
    firsts = [tokens[0][0] for tokens in laid]
    flat = [(0, 0), *(token for tokens in laid for token in tokens), (len(document.text), len(document.text))]
    for (_, start), (end, _) in pairwise(flat):
        inside = edges[bisect_right(edges, start) : bisect_right(edges, end - 1)]
        touched = white and (bool(inside) or start in starts or end in ends)
        found = list(pairwise([start, *inside, end])) if touched else _runs(document.text, start, end)
        if start < end and found:
            if not laid:
                laid, firsts = [[]], [0]
            laid[max(bisect_right(firsts, start) - 1, 0)] += found
    return [sorted(tokens) for tokens in laid]


def _cut(tokens: Sequence[Range], edges: Sequence[int]) -> Iterator[Range]:
    """The tokens, cut at the edges that are inside of them."""
    for start, end in tokens:
        inside = edges[bisect_right(edges, start) : bisect_right(edges, end - 1)]
        yield from pairwise([start, *inside, end])


def _runs(text: str, start: int, end: int) -> list[Range]:
    """The runs of other characters than white space."""
    return [found.span() for found in _RUN.finditer(text, start, end)]


def joined(sentences: Sequence[Sequence[Range]], spans: Sequence[Span]) -> list[list[Range]]:
    """The sentences; those that a span crosses are one."""
    found: list[list[Range]] = []
    waiting = sorted(spans, key=lambda span: span.start, reverse=True)
    reach = 0  # end of the spans that begin before the sentence
    for tokens in sentences:
        while waiting and waiting[-1].start < tokens[0][0]:
            reach = max(reach, waiting.pop().end)
        if found and reach > tokens[0][0]:
            found[-1] += tokens
        else:
            found.append(list(tokens))
    return found
