"""Tags of CoNLL files: parse cells, detect the chunk encoding of a file, and convert tags to spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias, get_args

import regex

from ner_head.corpus.documents import Span

OUTSIDE = "O"
ChunkEncoding: TypeAlias = Literal["IOB2", "BIOES", "BIOE", "IOB1", "IOE2", "IOE1"]  # in order of preference

_PREFIXES = "BIESLUMW"
_PREFIXES_OF = {"IOB2": "BI", "BIOES": "BIES", "BIOE": "BIE", "IOB1": "BI", "IOE2": "IE", "IOE1": "IE"}
_AS_BIOES = {"L": "E", "U": "S", "M": "I", "W": "S"}
_TAG = regex.compile(rf"(?P<prefix>[{_PREFIXES}])[-_](?P<label>\S.*)")
_PLAIN = regex.compile(r"\p{L}[^\s=]*")
# malformed tags, which are no plain labels either: b-per, B:PER, PER-B, B
_ODD = regex.compile(rf"(?i:[{_PREFIXES}])[\W_].+|.+[\W_][{_PREFIXES}]|[{_PREFIXES}][-_]?|o")
_SECOND = regex.compile(rf"[|/,;+#&\s][{_PREFIXES}][-_]\S|[|,;\s]O$")
_BETWEEN = regex.compile(r"[|,;]")
EXPECTED = f"O, or a label behind {' '.join(f'{prefix}-' for prefix in _PREFIXES)}"

COLUMNS_HINT = "if words or tags are in other columns, set prepare.columns: {word: N, tag: N} (counted from 1)"


class Tag(NamedTuple):
    """A parsed cell. `prefix` is one of B, I, E and S as in BIOES, or O with an empty label."""

    prefix: str
    label: str


OUTSIDE_TAG = Tag(OUTSIDE, "")


def is_tag(cell: str) -> bool:
    """Whether a cell is O or a label with a position prefix."""
    return cell == OUTSIDE or _TAG.fullmatch(cell) is not None


def is_plain(cell: str) -> bool:
    """Whether a cell could be a label without a position prefix."""
    return _PLAIN.fullmatch(cell) is not None


def label_of(cell: str) -> str:
    """The label of a tag; the cell itself if it is a plain label; "" for O."""
    found = _TAG.fullmatch(cell)
    return found["label"] if found else "" if cell == OUTSIDE else cell


@dataclass(frozen=True, slots=True)
class Meanings:
    """The meanings of the cells of one file."""

    tags: Mapping[str, Tag]
    """Tag of each valid cell."""
    wrong: Mapping[str, str]
    """Error message for each invalid cell."""
    plain: bool
    """Whether labels have no positions (IO). Adjacent entities of one label are then one entity."""
    letters: frozenset[str]
    """Prefixes as they are written in the file."""


def read_cells(cells: Counter[str]) -> Meanings:
    """Parse all cells of a file. If labels with and without positions occur, the rarer kind is invalid."""
    matches = {cell: _TAG.fullmatch(cell) for cell in cells}
    n_tags = sum(cells[cell] for cell, match in matches.items() if match)
    n_plain = sum(cells[cell] for cell, match in matches.items() if not match and cell != OUTSIDE and is_plain(cell))
    plain = n_plain > n_tags
    labels = {label_of(cell) for cell in cells if plain or matches[cell]}
    tags, wrong = {OUTSIDE: OUTSIDE_TAG}, {}
    for cell, match in matches.items():
        if cell == OUTSIDE:
            continue
        if why := _fault(cell, labels, plain=plain):
            wrong[cell] = why
        elif match and not plain:
            tags[cell] = Tag(_AS_BIOES.get(match["prefix"], match["prefix"]), match["label"])
        else:
            tags[cell] = Tag("I", cell)
    letters = frozenset(cell[0] for cell in tags if cell != OUTSIDE and not plain)
    return Meanings(tags, wrong, plain, letters)


def _fault(cell: str, labels: set[str], *, plain: bool) -> str:
    """Why a cell is invalid in a file with these labels; "" if it is valid."""
    tagged = _TAG.fullmatch(cell) is not None
    parts = _BETWEEN.split(label_of(cell))
    if _SECOND.search(cell) or (len(parts) > 1 and labels.issuperset(parts)):
        return f"two tags in one cell, {cell!r}; leave one of them"
    if plain and tagged:
        return f"{cell!r} has a position, but most labels of the file have none"
    if not plain and not tagged:
        return f"expected a tag ({EXPECTED}), got {cell!r}; {COLUMNS_HINT}"
    if plain and (_ODD.fullmatch(cell) or not is_plain(cell)):
        return f"expected a tag ({EXPECTED}) or a label alone, got {cell!r}; {COLUMNS_HINT}"
    return ""


def spans(tags: Sequence[Tag]) -> list[Span]:
    """Word spans of a sentence. Tags out of place are read by conlleval's rule."""
    found: list[Span] = []
    start, label = 0, ""
    for position, tag in enumerate([*tags, OUTSIDE_TAG]):
        if label and (tag.prefix in "OBS" or tag.label != label):
            found.append(Span(start, position, label))
            label = ""
        if tag.label and not label:
            start, label = position, tag.label
        if label and tag.prefix in "ES":
            found.append(Span(start, position + 1, label))
            label = ""
    return found


def cells(found: Iterable[Span], n_words: int, encoding: Literal["IOB2", "IOB1", "BIOES"] = "IOB2") -> list[str]:
    """Inverse of `spans`: the tag of each word, as it is written.

    Args:
        found: word spans that do not overlap, sorted.
        n_words: number of words of the sentence.
        encoding: how tags are written.
    """
    tags = [OUTSIDE] * n_words
    last = Span(0, 0, "")
    for span in found:
        prefixes = ["B", *"I" * (span.end - span.start - 1)]
        if encoding == "BIOES":
            prefixes = ["S"] if len(prefixes) == 1 else [*prefixes[:-1], "E"]
        elif encoding == "IOB1" and (last.end, last.label) != (span.start, span.label):
            prefixes[0] = "I"
        tags[span.start : span.end] = [f"{prefix}-{span.label}" for prefix in prefixes]
        last = span
    return tags


def choose_encoding(sentences: Iterable[Sequence[Tag]]) -> ChunkEncoding:
    """The encoding with the fewest tags out of place. A prefix that an encoding lacks counts twice."""
    contexts = Counter(context for tags in sentences for context in _contexts(tags))
    return min(get_args(ChunkEncoding), key=lambda encoding: sum(n * _cost(encoding, c) for c, n in contexts.items()))


def out_of_place(encoding: ChunkEncoding, tags: Sequence[Tag]) -> list[int]:
    """Positions of the tags of a sentence that violate the encoding."""
    labelled = (position for position, tag in enumerate(tags) if tag.label)
    return [position for position, context in zip(labelled, _contexts(tags), strict=True) if _cost(encoding, context)]


class _TagContext(NamedTuple):
    """The prefix of a tag, and the prefixes of its neighbours with the same label ("" if there is none)."""

    before: str
    prefix: str
    after: str


def _contexts(tags: Sequence[Tag]) -> Iterator[_TagContext]:
    """The context of each tag with a label."""
    if not any(tag.label for tag in tags):
        return
    for (before, tag), (_, after) in zip(pairwise([OUTSIDE_TAG, *tags]), pairwise([*tags, OUTSIDE_TAG]), strict=True):
        if tag.label:
            yield _TagContext(
                before.prefix if before.label == tag.label else "",
                tag.prefix,
                after.prefix if after.label == tag.label else "",
            )


def _cost(encoding: ChunkEncoding, context: _TagContext) -> int:
    """0 for a tag that the encoding allows in this context, 1 for one out of place, 2 for an unknown prefix."""
    before, prefix, after = context
    if prefix not in _PREFIXES_OF[encoding]:
        return 2
    match encoding:
        case "IOB2":
            return int(prefix == "I" and not before)
        case "IOB1":  # B only separates adjacent entities of one label
            return int(prefix == "B" and not before)
        case "IOE2":
            return int(prefix == "I" and not after)
        case "IOE1":
            return int(prefix == "E" and not after)
        case "BIOES" | "BIOE":  # BIOE has no S: a single word is B
            starts = prefix in "IE" and before not in {"B", "I"}
            goes_on = prefix in ("BI" if encoding == "BIOES" else "I") and after not in {"I", "E"}
            return int(starts or goes_on)


def encoding_name(encoding: ChunkEncoding | None, letters: Iterable[str]) -> str:
    """The usual name of an encoding that is written with these prefixes; None is labels without positions."""
    letters = set(letters)
    if encoding is None:
        return "labels without positions (IO)"
    if encoding == "BIOES":
        return "BILOU" if letters & set("LU") else "BMES" if letters & set("MW") else encoding
    return "BMEO" if encoding == "BIOE" and "M" in letters else encoding
