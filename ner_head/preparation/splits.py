"""Decide which documents are train, dev and test: by topic, document or pattern, or as a share of the documents."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from ner_head.base.errors import DataError, UsageError
from ner_head.base.params import Params
from ner_head.corpus.documents import Document
from ner_head.corpus.near_copies import connected, copy_links
from ner_head.formats.options import is_pattern

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
MANY_TOPICS = 10  # a corpus of so many topics is split between topics


def _as_name(value: object) -> object:
    """Convert a whole number, which YAML makes of the name `2019`, back into a name. Other values need quotes."""
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"must be a name; put it in quotes: '{value}'")
    return value


Name = Annotated[str, BeforeValidator(_as_name)]


class Splits(Params):
    """The documents of each split.

    A split is a list of topics, of keys of single documents (`topic/language/id`), and of patterns with `*`, `?` and
    `[...]` for either. A pattern with a slash is compared with keys, one without with topics. Patterns of `train` name
    what dev and test do not name. `dev` and `test` can be shares instead, such as 0.2: this share of the documents that
    `train` names is taken for them.
    """

    train: list[Name] = Field(min_length=1)
    dev: list[Name] = Field(default_factory=list)
    test: list[Name] = Field(default_factory=list)
    shares: dict[Split, float] = Field(default_factory=dict)
    """Shares of splits that are given as a number."""
    seed: int = Field(default=0, ge=0)
    """Seed of the documents that shares take."""

    @model_validator(mode="before")
    @classmethod
    def _separate_shares(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        shares = {split: values[split] for split in SPLITS if type(values.get(split)) in (int, float)}
        if "train" in shares:
            raise ValueError("train is a list of topics, documents or patterns; '*' names all")
        if not all(0 < share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
            raise ValueError(f"shares are above 0, and less than 1 together; got {shares}")
        rest = {split: value for split, value in values.items() if split not in shares}
        return {**rest, "shares": shares} if shares else rest

    @model_validator(mode="after")
    def _name_everything_once(self) -> Splits:
        for name, count in Counter(name for split in SPLITS for name in getattr(self, split)).items():
            if count > 1:
                first, second, *_ = [split for split in SPLITS for other in getattr(self, split) if other == name]
                raise ValueError(f"{name!r} is in {first} and in {second}")
        return self

    def names(self) -> dict[str, Split]:
        """The split of each name and pattern."""
        return {name: split for split in SPLITS for name in getattr(self, split)}


def assign(documents: Sequence[Document], splits: Splits, others: AbstractSet[str] = frozenset()) -> dict[str, Split]:
    """The split of each document, by its key. Documents that no split names are absent.

    Args:
        documents: documents of the corpus.
        splits: the splits.
        others: more topics of the corpus, whose documents were not read.
    Raises:
        UsageError: a name or pattern fits no document, a document is named by two splits, or a share takes no document.
        DataError: two documents have the same key.
    """
    names = splits.names()
    _check_names(names, documents, others)
    found: dict[str, Split] = {}
    patterns, place = [name for name in names if is_pattern(name)], {name: i for i, name in enumerate(names)}
    for document in documents:
        fitting = {document.topic, document.key, *(name for name in patterns if _names(name, document))}
        if named := sorted((name for name in fitting if name in names), key=place.__getitem__):
            found[document.key] = _only({name: names[name] for name in named}, document)
    rest = [document for document in documents if found.get(document.key) == "train"]
    groups = related(rest) if splits.shares else []
    for split in ("test", "dev"):
        if split in splits.shares:
            taken = take(groups, rest, splits.shares[split], splits.seed)
            if not taken:
                raise UsageError(
                    f"prepare.splits.{split}: {splits.shares[split]:g} of {len(rest):,} documents in {len(groups):,} "
                    "groups (near copies are kept together) is none; give names, or a larger share"
                )
            found |= dict.fromkeys((rest[i].key for group in taken for i in group), split)
            firsts = {group[0] for group in taken}
            groups = [group for group in groups if group[0] not in firsts]
    return found


def related(documents: Sequence[Document]) -> list[list[int]]:
    """Groups of indices of documents that belong into one split.

    These are groups of near copies. If there are at least `MANY_TOPICS` topics, none of which has most of the
    documents, all documents of a topic belong together too.
    """
    links = copy_links(documents)
    sizes = Counter(document.topic for document in documents)
    if len(sizes) >= MANY_TOPICS and max(sizes.values()) <= len(documents) / 2:
        first: dict[str, int] = {}
        links += [(first.setdefault(document.topic, i), i) for i, document in enumerate(documents)]
    return connected(len(documents), links)


def take(groups: Sequence[list[int]], documents: Sequence[Document], share: float, seed: int) -> list[list[int]]:
    """Take whole groups, about a share of the documents of each language. At least one group is left.

    The groups are tried in the order of a hash of the seed and their first keys. So a document that is added to the
    corpus changes the split of few others.
    """
    wanted = Counter(document.language for document in documents)
    missing = {language: share * count for language, count in wanted.items()}

    def rank(group: list[int]) -> bytes:
        key = min(documents[i].key for i in group)
        return hashlib.sha256(f"{seed}\n{key}".encode("utf-8", "surrogatepass")).digest()

    ranked = sorted(groups, key=rank)
    taken: list[list[int]] = []
    for group in ranked:
        sizes = Counter(documents[i].language for i in group)
        fitting = sum(min(count, max(missing[language], 0)) for language, count in sizes.items())
        if fitting >= len(group) / 2 and len(taken) < len(groups) - 1:
            taken.append(group)
            missing = {language: left - sizes[language] for language, left in missing.items()}
    if not taken and len(groups) > 1:
        smallest = min(ranked, key=len)
        return [smallest] if len(smallest) <= math.ceil(len(documents) / 2) else []
    return taken


def _names(name: str, document: Document) -> bool:
    """Whether a name or pattern of a split names a document."""
    whole = document.key if "/" in name else document.topic
    return name in (document.topic, document.key) or (is_pattern(name) and fnmatchcase(whole, name))


def _check_names(names: Mapping[str, Split], documents: Sequence[Document], others: AbstractSet[str]) -> None:
    repeated = [key for key, count in Counter(document.key for document in documents).items() if count > 1]
    if repeated:
        raise DataError(f"two documents are called {repeated[0]}; ids must differ within topic and language")
    there = {document.topic for document in documents}
    topics = ", ".join(sorted(there | others)) or "none"
    there |= {document.key for document in documents}
    for name, split in names.items():
        if name in there or (is_pattern(name) and any(_names(name, document) for document in documents)):
            continue
        if name in others:
            raise UsageError(f"prepare.splits.{split}: every document of {name!r} is left out; see prepare.languages")
        raise UsageError(
            f"prepare.splits.{split}: no topic or document {name!r} in the corpus; its topics are {topics}"
        )


def _only(found: Mapping[str, Split], document: Document) -> Split:
    """The only split that names a document. Patterns of train do not count beside names in dev and test."""
    found = {name: split for name, split in found.items() if split != "train" or not is_pattern(name)} or found
    first, *others = set(found.values())
    if others:
        where = " and ".join(f"{split} ({name})" for name, split in found.items())
        raise UsageError(f"prepare.splits: {document.key} is in {where}; leave one of them")
    return first
