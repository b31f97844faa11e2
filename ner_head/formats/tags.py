"""Tags of CoNLL files: what a cell says, and the scheme that explains most of a file's cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias, get_args

import regex

from ner_head.corpus.documents import Span

OUTSIDE = "O"
Scheme: TypeAlias = Literal["IOB2", "BIOES", "BIOE", "IOB1", "IOE2", "IOE1"]  # the first of equals is taken

_PREFIXES = "BIESLUMW"
_OF_SCHEME = {"IOB2": "BI", "BIOES": "BIES", "BIOE": "BIE", "IOB1": "BI", "IOE2": "IE", "IOE1": "IE"}
_AS_BIOES = {"L": "E", "U": "S", "M": "I", "W": "S"}
_TAG = regex.compile(rf"(?P<prefix>[{_PREFIXES}])[-_](?P<label>\S.*)")
_PLAIN = regex.compile(r"\p{L}[^\s=]*")
# what looks like a label and a position, but in no way that is read: b-per, B:PER, PER-B, B
_ODD = regex.compile(rf"(?i:[{_PREFIXES}])[\W_].+|.+[\W_][{_PREFIXES}]|[{_PREFIXES}][-_]?|o")
_SECOND = regex.compile(rf"[|/,;+#&\s][{_PREFIXES}][-_]\S|[|,;\s]O$")
_BETWEEN = regex.compile(r"[|,;]")
EXPECTED = f"O, or a label behind {' '.join(f'{prefix}-' for prefix in _PREFIXES)}"

ELSEWHERE = "if words or tags are in other columns, set prepare.columns: {word: N, tag: N} (counted from 1)"


class Tag(NamedTuple):
    """A cell taken apart; `prefix` is one of B, I, E, S as in BIOES, or O with no label."""

    prefix: str
    label: str


NONE = Tag(OUTSIDE, "")


def is_tag(cell: str) -> bool:
    """Whether a cell is O or a label behind a position."""
    return cell == OUTSIDE or _TAG.fullmatch(cell) is not None


def is_plain(cell: str) -> bool:
    """Whether a cell could be a label with no position."""
    return _PLAIN.fullmatch(cell) is not None


def label_of(cell: str) -> str:
    """The label of a tag; the cell itself if it is a plain label; "" outside."""
    found = _TAG.fullmatch(cell)
    return found["label"] if found else "" if cell == OUTSIDE else cell


@dataclass(frozen=True, slots=True)
class Meanings:
    """What the cells of one file mean: the tag of each, or why it is none."""

    tags: Mapping[str, Tag]
    wrong: Mapping[str, str]
    plain: bool
    """Labels without positions (IO): entities of one label that touch are one."""
    letters: frozenset[str]
    """Prefixes as they are written."""


def read_cells(cells: Counter[str]) -> Meanings:
    """The meaning of every cell of a file. Labels with and without positions do not mix: the rarer kind is wrong."""
    matches = {cell: _TAG.fullmatch(cell) for cell in cells}
    n_tags = sum(cells[cell] for cell, match in matches.items() if match)
    n_plain = sum(cells[cell] for cell, match in matches.items() if not match and cell != OUTSIDE and is_plain(cell))
    plain = n_plain > n_tags
    labels = {label_of(cell) for cell in cells if plain or matches[cell]}
    tags, wrong = {OUTSIDE: NONE}, {}
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
    """Why a cell is no tag in a file of these labels; "" if it is one."""
    tagged = _TAG.fullmatch(cell) is not None
    parts = _BETWEEN.split(label_of(cell))
    if _SECOND.search(cell) or (len(parts) > 1 and labels.issuperset(parts)):
        return f"two tags in one cell, {cell!r}; leave one of them"
    if plain and tagged:
        return f"{cell!r} has a position, but most labels of the file have none"
    if not plain and not tagged:
        return f"expected a tag ({EXPECTED}), got {cell!r}; {ELSEWHERE}"
    if plain and (_ODD.fullmatch(cell) or not is_plain(cell)):
        return f"expected a tag ({EXPECTED}) or a label alone, got {cell!r}; {ELSEWHERE}"
    return ""


def spans(tags: Sequence[Tag]) -> list[Span]:
    """Word spans of a sentence, by conlleval's rule where a tag is out of place."""
    found: list[Span] = []
    start, label = 0, ""
    for position, tag in enumerate([*tags, NONE]):
        if label and (tag.prefix in "OBS" or tag.label != label):
            found.append(Span(start, position, label))
            label = ""
        if tag.label and not label:
            start, label = position, tag.label
        if label and tag.prefix in "ES":
            found.append(Span(start, position + 1, label))
            label = ""
    return found


def choose_scheme(sentences: Iterable[Sequence[Tag]]) -> Scheme:
    """The scheme with the fewest tags out of place. A prefix that a scheme lacks counts twice."""
    places = Counter(place for tags in sentences for place in _places(tags))
    return min(get_args(Scheme), key=lambda scheme: sum(n * _cost(scheme, place) for place, n in places.items()))


def out_of_place(scheme: Scheme, tags: Sequence[Tag]) -> list[int]:
    """Positions of a sentence whose tags the scheme does not allow there."""
    labelled = (position for position, tag in enumerate(tags) if tag.label)
    return [position for position, place in zip(labelled, _places(tags), strict=True) if _cost(scheme, place)]


class _Place(NamedTuple):
    """A tag between those that touch it and have its label; "" where there is none."""

    before: str
    prefix: str
    after: str


def _places(tags: Sequence[Tag]) -> Iterator[_Place]:
    """One of each tag that has a label."""
    if not any(tag.label for tag in tags):
        return
    for (before, tag), (_, after) in zip(pairwise([NONE, *tags]), pairwise([*tags, NONE]), strict=True):
        if tag.label:
            yield _Place(
                before.prefix if before.label == tag.label else "",
                tag.prefix,
                after.prefix if after.label == tag.label else "",
            )


def _cost(scheme: Scheme, place: _Place) -> int:
    before, prefix, after = place
    if prefix not in _OF_SCHEME[scheme]:
        return 2
    match scheme:
        case "IOB2":
            return int(prefix == "I" and not before)
        case "IOB1":  # B only parts an entity from one of its kind
            return int(prefix == "B" and not before)
        case "IOE2":
            return int(prefix == "I" and not after)
        case "IOE1":
            return int(prefix == "E" and not after)
        case "BIOES" | "BIOE":  # BIOE has no S: a single word is B
            starts = prefix in "IE" and before not in {"B", "I"}
            goes_on = prefix in ("BI" if scheme == "BIOES" else "I") and after not in {"I", "E"}
            return int(starts or goes_on)


def scheme_name(scheme: Scheme, letters: Iterable[str]) -> str:
    """How a scheme is called when it is written with these prefixes."""
    letters = set(letters)
    if scheme == "BIOES":
        return "BILOU" if letters & set("LU") else "BMES" if letters & set("MW") else scheme
    return "BMEO" if scheme == "BIOE" and "M" in letters else scheme
