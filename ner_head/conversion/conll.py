"""CoNLL files of 2 to 10 columns. They are read by the reader of the corpus format `conll`.

A file of 10 columns is CoNLL-U. Its last column has the tag (`name=B-PER`, as in NorNE) and the white space after each
word (`SpacesAfter`, as UDPipe writes it), so that the text comes back exactly. In files of fewer columns, the first is
the word and the last the tag, and reading makes the spaces between words by rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import regex

from ner_head.base.errors import UsageError
from ner_head.conversion.corpora import reader
from ner_head.conversion.layout import Range, joined, layout
from ner_head.conversion.tool import Losses, Options, Tool
from ner_head.corpus.documents import Document, Span, without_overlaps
from ner_head.formats.tags import cells

FULL = 10
_WHITE = regex.compile(r"\s+")
_LABEL = regex.compile(r"[\s|]+")
_ESCAPES = {" ": "\\s", "\t": "\\t", "\n": "\\n", "\r": "\\r", "|": "\\p", "\\": "\\\\"}


def write(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write documents. Words are cut at the ends of spans; sentences that a span crosses are joined.

    Raises:
        UsageError: the number of columns is not between 2 and 10.
    """
    if not 2 <= options.columns <= FULL:
        raise UsageError(f"--columns: between 2 and {FULL}, got {options.columns}")
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for document in documents:
            handle.write(f"# newdoc id = {_WHITE.sub(' ', document.id)}\n")
            for lines in _sentences(document, options, losses):
                handle.writelines(f"{line}\n" for line in (*lines, ""))
    if options.columns < FULL:
        losses.notice(f"a file of {options.columns} columns does not keep the spaces of the texts; --columns 10 does")


def _sentences(document: Document, options: Options, losses: Losses) -> Iterator[list[str]]:
    """The rows of each sentence."""
    spans = _fitting(document, losses)
    bare = replace(document, spans=tuple(spans))
    sentences = joined(layout(bare, cut=True, white=False), spans)
    if not sentences:
        losses.add(document.key, "text changed", detail="a document without words, which is left out")
        return
    following = [*(tokens[0][0] for tokens in sentences[1:]), len(document.text)]
    for number, (tokens, end) in enumerate(zip(sentences, following, strict=True)):
        firsts = {first: place for place, (first, _) in enumerate(tokens)}
        lasts = {last: place for place, (_, last) in enumerate(tokens, 1)}
        inside = [
            Span(firsts[span.start], lasts[span.end], _label(document, span, options, losses))
            for span in spans
            if span.start in firsts and span.end in lasts
        ]
        tags = cells(inside, len(tokens), options.scheme)
        before = document.text[: tokens[0][0]] if number == 0 else ""
        yield list(_rows(document, tokens, tags, options, before=before, following=end))


def _fitting(document: Document, losses: Losses) -> list[Span]:
    """The spans that tags hold: without overlaps, and without white space at their ends."""
    kept = without_overlaps(document.spans)
    for span in document.spans:
        if span not in kept:
            losses.span(document, "overlapping", span)
    trimmed = []
    for span in kept:
        covered = document.text[span.start : span.end]
        start = span.start + len(covered) - len(covered.lstrip())
        if not covered.strip():
            losses.span(document, "only white space", span)
            continue
        if covered.strip() != covered:
            losses.span(document, "white space trimmed", span)
        trimmed.append(replace(span, start=start, end=start + len(covered.strip())))
    return trimmed


def _label(document: Document, span: Span, options: Options, losses: Losses) -> str:
    """The label of a span without characters that separate fields."""
    label = (_LABEL if options.columns == FULL else _WHITE).sub("_", span.label)
    if label != span.label:
        losses.span(document, "label changed", span)
    return label


def _rows(
    document: Document, tokens: Sequence[Range], tags: Sequence[str], options: Options, *, before: str, following: int
) -> Iterator[str]:
    """The rows of a sentence.

    Args:
        document: the document.
        tokens: the words of the sentence.
        tags: their tags.
        options: how to write.
        before: white space before the sentence, if it is the first one.
        following: start of the next sentence.
    """
    ends = [*(start for start, _ in tokens[1:]), following]
    for number, ((start, end), tag, after) in enumerate(zip(tokens, tags, ends, strict=True), 1):
        word = _WHITE.sub(" ", document.text[start:end])
        if options.columns < FULL:
            yield "\t".join([word, *["_"] * (options.columns - 2), tag])
            continue
        features = [f"name={tag}", *([f"SpacesBefore={_escaped(before)}"] if before and number == 1 else [])]
        gap = document.text[end:after]
        if gap == "" and number < len(tokens):
            features.append("SpaceAfter=No")
        elif gap != " " or number == len(tokens):  # said at the end of each sentence: then all white space is known
            features.append(f"SpacesAfter={_escaped(gap)}")
        yield "\t".join([str(number), word, *["_"] * (FULL - 3), "|".join(features)])


def _escaped(white: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in white)


TOOL = Tool("conll", reader("conll"), write)
