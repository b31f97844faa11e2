"""Parse and escape the lines of WebAnno TSV 3 files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import regex

from ner_head.base.errors import DataError
from ner_head.conversion.names import Identity
from ner_head.conversion.offsets import utf16
from ner_head.conversion.tool import Kind, Losses, Options
from ner_head.corpus.documents import Document, Span
from ner_head.formats.lines import read_text

FORMAT_LINE = "#FORMAT=WebAnno TSV "
TEXT = "#Text="
PROBABILITIES = ("probability", "{feature}_score")
"""Names of features that are the probability of a mention."""
_VERSION = regex.compile(r"#FORMAT=WebAnno TSV 3\.(?P<minor>\d+)")
_OFFSETS = regex.compile(r"(?P<start>\d+)-(?P<end>\d+)")
_STACKED = regex.compile(r"(?:[^\\|]|\\.)+")
_NUMBERED = regex.compile(r"(?P<value>.*?)(?:\[(?P<number>\d+)\])?")
_ESCAPED = regex.compile(r"\\(->|.)", regex.DOTALL)
_UNICODE = regex.compile(r"\\u+([0-9a-fA-F]{4})")
_LETTERS = {"t": "\t", "n": "\n", "f": "\f", "r": "\r", "b": "\b"}
_RESERVED = regex.compile(r"->|[\\\[\]|_;*]")
_CONTROLS = regex.compile(r"[\\\t\n\f\r\b\x00-\x07\x0e-\x1f]")
_NAMES = {letter: name for name, letter in _LETTERS.items()}


def escape_text(text: str) -> str:
    """Escape the text of a sentence or of a token."""
    return _CONTROLS.sub(lambda found: f"\\{_NAMES.get(found[0], found[0])}", text)


def escape_value(value: str) -> str:
    """Escape the value of a feature."""
    escaped = _RESERVED.sub(lambda found: f"\\{found[0]}", value)
    return escaped.replace("\t", "\\t").replace("\n", "\\n")


def unescape(text: str, *, java: bool = False) -> str:
    """Inverse of `escape_text` and `escape_value`.

    Args:
        text: the text.
        java: whether characters may be written as of Java, with four hexadecimal digits; as before version 3.2.
    """
    if java:
        text = _UNICODE.sub(lambda found: chr(int(found[1], 16)), text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _ESCAPED.sub(lambda found: _LETTERS.get(found[1], found[1]), text)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a layer: whether the layer has spans, relations or chains, its name, and the feature."""

    kind: str
    layer: str
    feature: str


@dataclass(slots=True)
class _Mention:
    """A mention: its first and last place in UTF-16 units, its label, its probability and its text of one row."""

    start: int
    end: int
    label: str | None
    score: str | None = None
    surface: str | None = None


@dataclass(slots=True)
class _Body:
    """What was read of a file so far."""

    columns: list[_Column]
    label: int
    """Number of the column of labels."""
    score: int | None
    """Number of the column of probabilities."""
    counted: list[int]
    """Numbers of other columns: the other features of the layer, and the first feature of each other layer."""
    java: bool
    text: str = ""
    units: int = 0
    """Length of the text in UTF-16 units."""
    pending: list[str] = field(default_factory=list)
    """Lines of a sentence whose first token was not read yet."""
    mentions: dict[object, _Mention] = field(default_factory=dict)
    others: Counter[_Column] = field(default_factory=Counter)
    """Number of annotations in each other column."""
    seen: set[tuple[_Column, str]] = field(default_factory=set)


def read_file(path: Path, name: Identity, options: Options, losses: Losses) -> Document:
    """Read a file.

    Raises:
        DataError: it is malformed, or has no such layer (names file and line).
    """
    lines = [line.removesuffix("\r") for line in read_text(path).split("\n")]
    version = _VERSION.match(lines[0].lstrip("\ufeff"))
    if version is None:
        raise DataError(f"{path}:1: expected {FORMAT_LINE}3.x; export as WebAnno TSV 3, or as UIMA CAS XMI")
    header = next((number for number, line in enumerate(lines[1:], 1) if not line.startswith("#T_")), len(lines))
    columns = [column for line in lines[1:header] for column in _columns(line)]
    body = _body(columns, path, options, java=int(version["minor"]) <= 1)
    for number, line in enumerate(lines[header:], header + 1):
        if line.startswith(TEXT):
            body.pending.append(unescape(line.removeprefix(TEXT), java=body.java))
        elif line and not line.startswith("#"):
            _read_row(body, line, f"{path}:{number}")
    document = Document(name.id, body.text.removesuffix("\n"), name.language, name.topic)
    for column, count in body.others.items():
        other: Kind = "other annotation" if column.kind == "SP" else "relation"
        kind: Kind = "attribute" if column.layer == options.layer else other
        losses.add(document.key, kind, detail=f"{column.layer} {column.feature}", number=count)
    spans = tuple(sorted(_spans(body.mentions.values(), document, losses)))
    return Document(document.id, document.text, document.language, document.topic, spans=spans)


def _columns(line: str) -> list[_Column]:
    """The columns of a layer, `#T_SP=LAYER|FEATURE|FEATURE`."""
    kind, _, rest = line.removeprefix("#T_").partition("=")
    layer, *features = rest.split("|")
    return [_Column(kind, layer, feature) for feature in features or [""]]


def _body(columns: list[_Column], path: Path, options: Options, *, java: bool) -> _Body:
    """An empty body of a file with these columns.

    Raises:
        DataError: none of them is the feature of the layer.
    """
    wanted = _Column("SP", options.layer, options.feature)
    if wanted not in columns:
        there = ", ".join(f"{c.layer} {c.feature}" for c in columns if c.kind == "SP") or "none"
        raise DataError(
            f"{path}: no layer {options.layer} with a feature {options.feature}; layers and features are: {there}; "
            "choose them with --layer and --feature"
        )
    scores = [name.format(feature=options.feature) for name in PROBABILITIES]
    score = next((n for n, c in enumerate(columns) if c.layer == options.layer and c.feature in scores), None)
    label, firsts = columns.index(wanted), {column.layer: n for n, column in reversed(list(enumerate(columns)))}
    counted = [n for n, c in enumerate(columns) if c.layer == options.layer or firsts[c.layer] == n]
    return _Body(columns, label, score, [n for n in counted if n not in (label, score)], java)


def _read_row(body: _Body, line: str, where: str) -> None:
    """Read the row of a token or of a part of one.

    Raises:
        DataError: it is malformed.
    """
    fields = line.split("\t")
    offsets = _OFFSETS.fullmatch(fields[1]) if len(fields) > 2 else None
    if offsets is None or len(fields) < 3 + len(body.columns):
        raise DataError(f"{where}: expected number, offsets, token and {len(body.columns)} columns, got {line!r:.80}")
    start, end = int(offsets["start"]), int(offsets["end"])
    if body.pending:
        _begin_sentence(body, start, where)
    cells = fields[3 : 3 + len(body.columns)]
    scores = [] if body.score is None else list(_values(cells[body.score]))
    for position, (value, number) in enumerate(_values(cells[body.label])):
        score = scores[position][0] if position < len(scores) else None
        surface = unescape(fields[2], java=body.java)
        label = None if value == "*" else unescape(value, java=body.java)
        found = body.mentions.setdefault(number or (where, position), _Mention(start, end, label, score, surface))
        if (found.start, found.end) != (start, end):
            found.start, found.end, found.surface = min(found.start, start), max(found.end, end), None
    for at in body.counted:
        column = body.columns[at]
        for value, number in _values(cells[at]):
            if value == "*" and column.layer == body.columns[body.label].layer:
                continue  # the mention has no such feature
            if not number or (column, number) not in body.seen:
                body.others[column] += 1
            body.seen.add((column, number))


def _begin_sentence(body: _Body, start: int, where: str) -> None:
    """Append the text of a sentence, whose first token begins at `start`.

    Raises:
        DataError: the offsets do not fit the texts of the sentences.
    """
    if body.units == start + 1 and body.text.endswith("\n"):
        body.text, body.units = body.text[:-1], start
    if body.units > start:
        raise DataError(f"{where}: the sentence begins at {start}, but the text before it ends at {body.units}")
    sentence = " " * (start - body.units) + "\n".join(body.pending) + "\n"
    body.text += sentence
    body.units += utf16(sentence).of(len(sentence))
    body.pending = []


def _values(cell: str) -> Iterator[tuple[str, str]]:
    """The values of a cell, still escaped, with their numbers; none for `_`."""
    if cell == "_":
        return
    for found in _STACKED.findall(cell):
        match = _NUMBERED.fullmatch(found)
        assert match is not None  # both groups are optional
        yield match["value"], match["number"] or ""


def _spans(mentions: Iterable[_Mention], document: Document, losses: Losses) -> Iterator[Span]:
    """The spans of mentions that fit the text."""
    units = utf16(document.text)
    for mention in mentions:
        detail = f"{mention.label} [{mention.start}, {mention.end})"
        try:
            start, end = units.to_character(mention.start), units.to_character(mention.end)
        except ValueError:
            start, end = 0, 0
        if start >= end:
            losses.add(document.key, "outside the text", mention.surface or "", detail)
        elif mention.surface not in (None, document.text[start:end]):
            losses.add(document.key, "surface differs", mention.surface or "", detail)
        elif not mention.label:
            losses.add(document.key, "no label", document.text[start:end], detail)
        else:
            yield Span(start, end, mention.label, _probability(mention.score))


def _probability(score: str | None) -> float | None:
    """A probability as it is written; None if there is none."""
    try:
        value = float(score or "")
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
