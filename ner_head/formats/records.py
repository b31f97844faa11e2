"""Convert JSON records of this project or of an annotation tool into documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.languages import tidy
from ner_head.corpus.records import from_record
from ner_head.formats.labels import clean, fault
from ner_head.formats.problems import LOST, Problem, ProblemParts

TEXTS = ("id", "topic", "language", "text")
# keys for annotations: this project and Prodigy, spaCy (two), doccano and Label Studio (two)
GOLD = ("spans", "entities", "ents", "label", "labels")
ANSWERS = ("accept", "reject", "ignore")  # values of Prodigy's key `answer`

# other ways to count offsets, and the characters that [start, end) then covers
_OTHER_COUNTS: dict[str, Callable[[str, int, int], str]] = {
    "UTF-16 units": lambda text, a, b: text.encode("utf-16-le")[2 * a : 2 * b].decode("utf-16-le", "replace"),
    "bytes of UTF-8": lambda text, a, b: text.encode()[a:b].decode("utf-8", "replace"),
    "up to the last character instead of one past it": lambda text, a, b: text[a : b + 1],
    "from 1 instead of 0": lambda text, a, b: text[max(a - 1, 0) : max(b - 1, 0)],
}


@dataclass(frozen=True, slots=True)
class Record:
    """A parsed record.

    Attributes:
        document: the document, with its valid mentions.
        has_gold: whether the record has a key for annotations. Without one it has no gold, which differs from having
            no entities.
        answer: value of Prodigy's key `answer`; empty if there is none.
        unknown: keys that are not read. Keys that begin with `_` are not listed, because tools use them internally.
        problems: problems of the annotations.
    """

    document: Document
    has_gold: bool
    answer: str
    unknown: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def n_mentions(self) -> int:
        """Number of mentions in the record, including those left out."""
        return len(self.document.spans) + sum(problem.kind in LOST for problem in self.problems)


@dataclass(frozen=True, slots=True)
class _GivenSpan:
    start: int
    end: int
    label: str
    text: str | None
    probability: float | None = None
    lemma: str | None = None
    entity: str | None = None


def to_record(content: Any, defaults: Mapping[str, str], problems: Iterable[ProblemParts] = ()) -> Record:
    """Parse a record.

    Args:
        content: decoded JSON: an object, or spaCy's [text, {"entities": ...}].
        defaults: `id` and `topic` for a record without them.
        problems: kind, form and detail of each problem found earlier.
    Raises:
        ValueError: the record is not a document.
    """
    given = {name: value for name, value in _object(content).items() if value is not None}
    if "text" not in given:
        raise ValueError(f"no 'text'; its keys are {', '.join(map(repr, given)) or 'none'}")
    texts = {name: _string(name, given[name]) for name in TEXTS if name in given}
    "".join(texts.values()).encode()  # a lone surrogate is a ValueError
    texts["language"] = tidy(texts.get("language", "")) or UNKNOWN_LANGUAGE
    name, items = _gold(given)
    right, wrong = list[_GivenSpan](), list[_GivenSpan]()
    for mention in map(_mention, items):
        (right if _covers(texts["text"], mention) else wrong).append(mention)
    sentences = given.get("sentences", [])
    _check_words(sentences)
    spans = [(mention.start, mention.end, mention.label, mention.probability, _named(mention)) for mention in right]
    document = from_record({**defaults, **texts, "sentences": sentences, "spans": spans})
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
    """A value as text. For an id, a whole number is accepted too."""
    if isinstance(value, str):
        return value
    if name == "id" and type(value) is int:
        return str(value)
    expected = "a string or a whole number" if name == "id" else "a string"
    raise ValueError(f"{name} must be {expected}, got {_short(value)}")


def _gold(given: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The key for annotations, and its value; an empty key if there is none.

    A record may have several such keys if only one has annotations. Values that are not lists are ignored beside a
    list: `label` may be a category of the whole text.
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


def _named(mention: _GivenSpan) -> dict[str, str]:
    named = {"lemma": mention.lemma, "entity": mention.entity}
    return {name: value for name, value in named.items() if value}


def _mention(item: Any) -> _GivenSpan:
    """Parse a span: an object, or a list [start, end, label] with an optional probability and an optional object.

    The keys `lemma` and `entity` of an object are kept if they are strings.
    """
    text, score, named = None, None, dict[str, Any]()
    if isinstance(item, dict):
        start, end = (_first(item, name, f"{name}_offset") for name in ("start", "end"))
        label, text, score = _first(item, "label", "labels"), item.get("text"), item.get("probability")
        label, named = label[0] if isinstance(label, list) and len(label) == 1 else label, item
    elif isinstance(item, list) and len(item) in (3, 4, 5):
        start, end, label, score = (*item, None)[:4]
        named = item[-1] if isinstance(item[-1], dict) else {}
    else:
        raise ValueError(f"a span must be [start, end, label] or an object with these keys, got {_short(item)}")
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise ValueError(f"a span must have whole numbers start and end, and one label, a string, got {_short(item)}")
    if why := fault(clean(label)):
        raise ValueError(f"{why}, in {_short(item)}")
    lemma, entity = (named[name] if isinstance(named.get(name), str) else None for name in ("lemma", "entity"))
    probability = score if isinstance(score, float) and 0 <= score <= 1 else None
    return _GivenSpan(start, end, label, text if isinstance(text, str) else None, probability, lemma, entity)


def _first(item: Mapping[str, Any], *names: str) -> Any:
    found = next((item[name] for name in names if name in item), None)
    if found is None:
        raise ValueError(f"a span has no {names[0]!r}: {_short(item)}")
    return found


def _covers(text: str, mention: _GivenSpan) -> bool:
    """Whether the offsets of a mention match its text. A mention without a text always matches.

    Raises:
        ValueError: the offsets are outside the text, or are counted in another way.
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


def _surface_problem(document: Document, mention: _GivenSpan) -> Problem:
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
