"""A JSON record of this project or of an annotation tool -> a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, from_json
from ner_head.corpus.languages import tidy
from ner_head.formats.labels import clean, fault
from ner_head.formats.reading import LOST, Kind, Problem

TEXTS = ("id", "topic", "language", "text")
GOLD = ("spans", "entities", "ents", "label", "labels")  # ours and Prodigy's, spaCy's (two), doccano's (two)
ANSWERS = ("accept", "reject", "ignore")  # Prodigy's

# how else a tool may count, and the characters that it means by [start, end)
_OTHER_COUNTS: dict[str, Callable[[str, int, int], str]] = {
    "UTF-16 units": lambda text, a, b: text.encode("utf-16-le")[2 * a : 2 * b].decode("utf-16-le", "replace"),
    "bytes of UTF-8": lambda text, a, b: text.encode()[a:b].decode("utf-8", "replace"),
    "up to the last character instead of one past it": lambda text, a, b: text[a : b + 1],
    "from 1 instead of 0": lambda text, a, b: text[max(a - 1, 0) : max(b - 1, 0)],
}


@dataclass(frozen=True, slots=True)
class Record:
    """What a record says.

    Attributes:
        document: with the mentions that could be taken.
        has_gold: whether the record has annotations at all; none is not the same as no entities.
        answer: Prodigy's; empty where there is none.
        unknown: keys that nothing reads, those that begin with `_` excepted: they are for programs.
        problems: mentions left out.
    """

    document: Document
    has_gold: bool
    answer: str
    unknown: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def n_mentions(self) -> int:
        """Mentions given, those left out included."""
        return len(self.document.spans) + sum(problem.kind in LOST for problem in self.problems)


@dataclass(frozen=True, slots=True)
class _Mention:
    start: int
    end: int
    label: str
    text: str | None


def to_record(content: Any, defaults: Mapping[str, str], problems: Iterable[tuple[Kind, str, str]] = ()) -> Record:
    """Read a record.

    Args:
        content: what was a line of JSON: an object, or spaCy's [text, {"entities": ...}].
        defaults: `id` and `topic` where the record has none.
        problems: kind, form and detail of what was found in it before.
    Raises:
        ValueError: it is no document; the message says why.
    """
    given = {name: value for name, value in _object(content).items() if value is not None}
    if "text" not in given:
        raise ValueError(f"no 'text'; its keys are {', '.join(map(repr, given)) or 'none'}")
    texts = {name: _string(name, given[name]) for name in TEXTS if name in given}
    "".join(texts.values()).encode()  # a lone surrogate is a ValueError
    texts["language"] = tidy(texts.get("language", "")) or UNKNOWN_LANGUAGE
    name, items = _gold(given)
    right, wrong = list[_Mention](), list[_Mention]()
    for mention in map(_mention, items):
        (right if _covers(texts["text"], mention) else wrong).append(mention)
    sentences = given.get("sentences", [])
    _check_words(sentences)
    spans = [(mention.start, mention.end, mention.label) for mention in right]
    document = from_json({**defaults, **texts, "sentences": sentences, "spans": spans})
    answer = given["answer"] if given.get("answer") in ANSWERS else ""
    read = {*TEXTS, "sentences", name, "answer" if answer else ""}
    return Record(
        document,
        has_gold=bool(name),
        answer=answer,
        unknown=tuple(key for key in given if key not in read and not key.startswith("_")),
        problems=(
            *(Problem(document.key, *problem) for problem in problems),
            *(_surface_problem(document, mention) for mention in wrong),
        ),
    )


def _object(content: Any) -> dict[str, Any]:
    if isinstance(content, dict):
        return content
    if isinstance(content, list) and [type(each) for each in content] == [str, dict]:
        return {"text": content[0], **content[1]}
    raise ValueError(f"expected an object, got {type(content).__name__}")


def _string(name: str, value: Any) -> str:
    """A value as text; a whole number too, where it is an id."""
    if isinstance(value, str):
        return value
    if name == "id" and type(value) is int:
        return str(value)
    wanted = "a string or a whole number" if name == "id" else "a string"
    raise ValueError(f"{name} must be {wanted}, got {_short(value)}")


def _gold(given: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The key under which the annotations stand, and them; an empty key where there are none.

    Beside others a key may be there without any, or hold a category of the whole text, which is no list.
    """
    lists = {name: given[name] for name in GOLD if isinstance(given.get(name), list)}
    others = [name for name in GOLD if name in given and name not in lists]
    if not lists and others:
        raise ValueError(f"{others[0]} must be a list of spans [start, end, label], got {_short(given[others[0]])}")
    filled = [name for name, items in lists.items() if items]
    if len(filled) > 1:
        raise ValueError(f"annotations stand under {' and '.join(map(repr, filled))}; leave one of them")
    name = (filled or list(lists) or [""])[0]
    return name, lists.get(name, [])


def _mention(item: Any) -> _Mention:
    """A span as a list, [start, end, label] and perhaps a probability, or as an object."""
    text = None
    if isinstance(item, dict):
        start, end = (_first(item, name, f"{name}_offset") for name in ("start", "end"))
        label, text = _first(item, "label", "labels"), item.get("text")
        label = label[0] if isinstance(label, list) and len(label) == 1 else label
    elif isinstance(item, list) and len(item) in (3, 4):
        start, end, label = item[:3]
    else:
        raise ValueError(f"a span must be [start, end, label] or an object with these keys, got {_short(item)}")
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise ValueError(f"a span must have whole numbers start and end, and one label, a string, got {_short(item)}")
    if why := fault(clean(label)):
        raise ValueError(f"{why}, in {_short(item)}")
    return _Mention(start, end, label, text if isinstance(text, str) else None)


def _first(item: Mapping[str, Any], *names: str) -> Any:
    found = next((item[name] for name in names if name in item), None)
    if found is None:
        raise ValueError(f"a span has no {names[0]!r}: {_short(item)}")
    return found


def _covers(text: str, mention: _Mention) -> bool:
    """Whether the offsets of a mention cover its own text, where it has one.

    Raises:
        ValueError: offsets outside the text, or counted in another way.
    """
    start, end, surface = mention.start, mention.end, mention.text
    inside = 0 <= start < end <= len(text)
    if inside and (surface is None or _squeezed(surface) == _squeezed(text[start:end])):
        return True
    for way, covered_by in _OTHER_COUNTS.items():
        if surface and 0 <= start < end and _squeezed(covered_by(text, start, end)) == _squeezed(surface):
            raise ValueError(
                f"offsets count {way}: characters [{start}, {end}) are {_short(text[start:end])}, and the text of "
                f"the span is {_short(surface)}; count characters (code points), from 0, the end excluded"
            )
    if not inside:
        raise ValueError(f"offsets [{start}, {end}) outside the text (0..{len(text)}) or empty")
    return False


def _surface_problem(document: Document, mention: _Mention) -> Problem:
    covered = document.text[mention.start : mention.end]
    detail = f"{mention.label}: [{mention.start}, {mention.end}) covers {covered!r}"
    return Problem(document.key, "surface differs", mention.text or "", detail)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _check_words(sentences: Any) -> None:
    if not isinstance(sentences, list):
        raise ValueError(f"sentences must be a list of lists of words [start, end], got {_short(sentences)}")
    for words in sentences:
        if not isinstance(words, list) or not words or not all(map(_is_range, words)):
            raise ValueError(f"a sentence must be a list of words [start, end], got {_short(words)}")
    if any(before[1] > after[0] for before, after in pairwise(chain.from_iterable(sentences))):
        raise ValueError("words of a sentence overlap or are out of order")


def _is_range(word: Any) -> bool:
    return isinstance(word, list) and [type(offset) for offset in word] == [int, int]


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
