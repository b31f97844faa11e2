"""brat's standoff format: folders of texts (.txt) with annotations (.ann) beside them.

A line of mentions is `T1⇥PER 0 4⇥Jana` (https://brat.nlplab.org/standoff.html). Offsets count the code points of the
text file: brat decodes it as UTF-8 into a string of Python and slices that. A mention in several parts has offsets
`0 4;9 13`. brat writes a mention over several lines in parts too, one for each line, because a line end would end the
annotation; parts with only white space between them are read as one mention. The trigger of an event is no mention. A
probability is written as a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import regex

from ner_head.base.errors import DataError
from ner_head.conversion.names import files_of, place
from ner_head.conversion.offsets import COUNTS, covers, find_count
from ner_head.conversion.tool import Kind, Losses, Options, Tool
from ner_head.corpus.documents import Document, Span
from ner_head.formats.lines import read_text

_BREAKS = regex.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")  # what str.splitlines and the columns break at
_LABEL = regex.compile(r"[^\w-]+")
_MENTION = regex.compile(r"(?P<label>\S+) (?P<parts>\d+ \d+(?:;\d+ \d+)*)")
_NOTE = regex.compile(r"probability (?P<value>[01](?:\.\d+)?(?:e-\d+)?)")
_OTHERS: dict[str, Kind] = {
    "R": "relation",
    "E": "relation",
    "*": "relation",
    "A": "attribute",
    "M": "attribute",
    "N": "attribute",
}
"""Lines of relations, events, equivalences, attributes, modifications and normalizations, by the first letter."""
CONFIG = "annotation.conf"
COUNTED = ("characters", "utf-16", "characters without the CR of CR LF")


class _Mention(NamedTuple):
    """A line of a mention: its id, label, parts and text."""

    id: str
    label: str
    parts: tuple[tuple[int, int], ...]
    surface: str


def read(path: Path, options: Options, losses: Losses) -> Iterator[Document]:
    """Read the texts of a folder, or one text, with their annotations.

    Raises:
        DataError: a line is malformed (names file and line).
    """
    source = path.with_suffix(".txt") if path.suffix == ".ann" else path
    for file, name in files_of(source, [".txt"]):
        document = Document(name.id, read_text(file), name.language, name.topic)
        annotations = file.with_suffix(".ann")
        if not annotations.is_file():
            losses.add(document.key, "no annotations", detail=str(file))
            continue
        yield replace(document, spans=_spans(document, annotations, losses))


def _spans(document: Document, path: Path, losses: Losses) -> tuple[Span, ...]:
    """The mentions of an annotation file."""
    mentions: list[_Mention] = []
    probabilities: dict[str, float] = {}
    triggers: set[str] = set()
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        name, _, content = line.rstrip("\r").partition("\t")
        if name.startswith("T"):
            mentions.append(_mention(name, content, f"{path}:{number}"))
        elif name.startswith("#") and (note := _NOTE.fullmatch(content.partition("\t")[2])):
            probabilities[content.partition("\t")[0].partition(" ")[2]] = float(note["value"])
        elif name.startswith("#"):
            losses.add(document.key, "attribute", detail=content)
        elif name[:1] in _OTHERS:
            losses.add(document.key, _OTHERS[name[0]], detail=content)
            triggers |= {content.partition(" ")[0].rpartition(":")[2]} if name[0] == "E" else set()
        else:
            raise DataError(f"{path}:{number}: not a line of brat's annotations: {line!r:.80}")
    mentions = [mention for mention in mentions if mention.id not in triggers]
    marked = [(m.parts[0][0], m.parts[-1][1], m.surface) for m in mentions]
    count = find_count(document.text, marked, COUNTED)
    if count != COUNTED[0]:
        losses.notice(f"the offsets of some texts count {count}; they were converted")
    found = (_span(document, mention, count, losses) for mention in mentions)
    labelled = ((span, mention.id) for span, mention in zip(found, mentions, strict=True) if span is not None)
    return tuple(sorted(replace(span, probability=probabilities.get(name)) for span, name in labelled))


def _mention(name: str, content: str, where: str) -> _Mention:
    """Parse a line of a mention.

    Raises:
        DataError: it is malformed.
    """
    head, _, surface = content.partition("\t")
    found = _MENTION.fullmatch(head.strip())
    if found is None:
        raise DataError(f"{where}: expected `{name}⇥LABEL START END⇥TEXT`, got {content!r:.80}")
    parts = [tuple(map(int, part.split())) for part in found["parts"].split(";")]
    return _Mention(name, found["label"], tuple((first, last) for first, last in parts), surface)


def _span(document: Document, mention: _Mention, count: str, losses: Losses) -> Span | None:
    """The span of a mention; None, and a loss, if it does not fit the text or is discontinuous."""
    text, units = document.text, COUNTS[count](document.text)
    detail = f"{mention.label} {';'.join(f'{first} {last}' for first, last in mention.parts)}"
    try:
        parts = [(units.to_character(first), units.to_character(last)) for first, last in mention.parts]
    except ValueError:
        parts = []
    if not parts or any(first >= last for first, last in parts):
        losses.add(document.key, "outside the text", mention.surface, detail)
        return None
    gaps = [text[one[1] : two[0]] for one, two in pairwise(parts)]
    if any(gap.strip() for gap in gaps) or parts != sorted(parts):
        losses.add(document.key, "discontinuous", mention.surface, detail)
        return None
    if mention.surface and not covers(text, units, mention.parts[0][0], mention.parts[-1][1], mention.surface):
        losses.add(document.key, "surface differs", mention.surface, detail)
        return None
    return Span(parts[0][0], parts[-1][1], mention.label)


def write(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write a text and its annotations for each document, and `annotation.conf` with the labels."""
    taken: set[str] = set()
    labels: dict[str, None] = {}
    for document in documents:
        file = place(document, path, ".txt", taken)
        file.write_bytes(document.text.encode())
        lines = list(_lines(document, labels, losses))
        file.with_suffix(".ann").write_bytes("".join(f"{line}\n" for line in lines).encode())
    config = "[entities]\n{}\n[relations]\n\n[events]\n\n[attributes]\n".format("".join(f"{name}\n" for name in labels))
    (path / CONFIG).write_text(config, encoding="utf-8", newline="\n")


def _lines(document: Document, labels: dict[str, None], losses: Losses) -> Iterator[str]:
    """The annotations of a document. Its labels are added to `labels`."""
    notes = 0
    for number, span in enumerate(document.spans, 1):
        label = _LABEL.sub("_", span.label)
        if label != span.label:
            losses.span(document, "label changed", span)
        parts = list(_parts(document.text, span))
        if not parts:
            losses.span(document, "only white space", span)
            continue
        if (parts[0][0], parts[-1][1]) != (span.start, span.end):
            losses.span(document, "white space trimmed", span)
        labels[label] = None
        places = ";".join(f"{first} {last}" for first, last in parts)
        yield f"T{number}\t{label} {places}\t{' '.join(document.text[first:last] for first, last in parts)}"
        if span.probability is not None:
            notes += 1
            yield f"#{notes}\tAnnotatorNotes T{number}\tprobability {span.probability:.6g}"


def _parts(text: str, span: Span) -> Iterator[tuple[int, int]]:
    """The parts of a span between line ends and tabs, which an annotation cannot hold."""
    at = span.start
    for found in _BREAKS.finditer(text, span.start, span.end):
        if found.start() > at:
            yield at, found.start()
        at = found.end()
    if at < span.end:
        yield at, span.end


TOOL = Tool("brat", read, write, folder=True, probabilities=True)
