"""WebAnno TSV 3, as WebAnno and INCEpTION export and import it.

The format is described in INCEpTION's user guide, appendix "WebAnno TSV 3.3 File format". Offsets count UTF-16 code
units ("the offsets used in the TSV file are based on UTF-16"). A row is a token, or a part of one if its number is such
as `1-3.1`. Sentences have their text in `#Text=` lines; between two sentences the reader of INCEpTION
(`Tsv3XDeserializer`) puts a line end, and spaces up to the offset of the next one. `write` makes other white space a
part of the sentence before it, so that the text of a document comes back exactly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from ner_head.conversion.layout import Range, layout
from ner_head.conversion.names import files_of, place
from ner_head.conversion.offsets import Units, utf16
from ner_head.conversion.tool import Losses, Options, Tool
from ner_head.conversion.webanno_rows import FORMAT_LINE, escape_text, escape_value, read_file
from ner_head.corpus.documents import Document


def read(path: Path, options: Options, losses: Losses) -> Iterator[Document]:
    """Read the documents of a folder, or one document.

    Raises:
        DataError: a file is malformed, or has no such layer (names file and line).
    """
    for file, name in files_of(path, [".tsv"]):
        yield read_file(file, name, options, losses)


def write(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write a file for each document. The layer has one feature, the label; probabilities have no place."""
    taken: set[str] = set()
    for document in documents:
        file = place(document, path, ".tsv", taken)
        header = f"{FORMAT_LINE}3.3\n#T_SP={options.layer}|{options.feature}\n\n"
        file.write_bytes((header + "".join(_sentences(document))).encode())


def _sentences(document: Document) -> Iterator[str]:
    """The sentences of a document: their text, and the rows of their tokens."""
    units = utf16(document.text)
    sentences = _with_white_start(document, layout(document, cut=False, white=True))
    cells = _cells(document, sentences)
    starts = [tokens[0][0] for tokens in sentences]
    for number, (tokens, (start, following)) in enumerate(
        zip(sentences, pairwise([*starts, len(document.text)]), strict=True), 1
    ):
        end = tokens[-1][1]
        if number == len(sentences) or document.text[end:following] not in ("", "\n"):
            end = following
        yield "\n"
        yield "".join(f"#Text={escape_text(line)}\n" for line in document.text[start:end].split("\n"))
        for position, token in enumerate(tokens, 1):
            yield from _rows(document, f"{number}-{position}", token, cells[token], units)


def _with_white_start(document: Document, sentences: list[list[Range]]) -> list[list[Range]]:
    """The sentences, with white space at the start of the text as a token, unless it is spaces."""
    first = sentences[0][0][0] if sentences else len(document.text)
    if document.text[:first].strip(" ") == "" and sentences:
        return sentences
    if not document.text:
        return []
    if not sentences:
        return [[(0, first)]]
    return [[(0, first), *sentences[0]], *sentences[1:]]


def _cells(document: Document, sentences: Sequence[Sequence[Range]]) -> dict[Range, dict[Range, list[str]]]:
    """By token and by part of it, the labels of the mentions there, with the number of a mention of several rows."""
    tokens = [token for sentence in sentences for token in sentence]
    cells: dict[Range, dict[Range, list[str]]] = {token: {} for token in tokens}
    ends = [token[1] for token in tokens]
    rows: dict[int, list[tuple[Range, Range]]] = {}
    for number, span in enumerate(document.spans, 1):
        at = bisect_left(ends, span.start + 1)
        rows[number] = []
        while at < len(tokens) and tokens[at][0] < span.end:
            token = tokens[at]
            rows[number].append((token, (max(token[0], span.start), min(token[1], span.end))))
            at += 1
    stacked: dict[tuple[Range, Range], int] = {}
    for row in (row for each in rows.values() for row in each):
        stacked[row] = stacked.get(row, 0) + 1
    for number, span in enumerate(document.spans, 1):
        marked = len(rows[number]) > 1 or any(stacked[row] > 1 for row in rows[number])
        for token, part in rows[number]:
            cells[token].setdefault(part, []).append(escape_value(span.label) + (f"[{number}]" if marked else ""))
    return cells


def _rows(document: Document, number: str, token: Range, parts: dict[Range, list[str]], units: Units) -> Iterator[str]:
    """The row of a token, and of each part of it that has a mention of its own."""
    for position, part in enumerate([token, *sorted(part for part in parts if part != token)]):
        name = f"{number}.{position}" if position else number
        start, end = part
        cell = "|".join(parts.get(part, ["_"]))
        yield f"{name}\t{units.of(start)}-{units.of(end)}\t{escape_text(document.text[start:end])}\t{cell}\t\n"


TOOL = Tool("webanno", read, write, folder=True)
