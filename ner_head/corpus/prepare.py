"""A corpus -> train, dev and test documents with sentences, and a report of what does not fit."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from ner_head.corpus.documents import Document, Sentence, Span, character_span, word_spans
from ner_head.corpus.formats import READERS
from ner_head.corpus.formats.reading import Kind, Problem, Reading, Tally, Wanted
from ner_head.corpus.segment import SEGMENTATION, segment
from ner_head.errors import DataError, UsageError
from ner_head.params import Params

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


class Splits(Params):
    """What goes where: names of topics, or keys of single documents (`topic/language/id`)."""

    train: list[str] = Field(min_length=1)
    dev: list[str] = Field(default_factory=list)
    test: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _name_everything_once(self) -> Splits:
        seen: dict[str, str] = {}
        for split in SPLITS:
            for name in getattr(self, split):
                if name in seen:
                    raise ValueError(f"{name!r} is in {seen[name]} and in {split}")
                seen[name] = split
        return self


class Columns(Params):
    """Columns of CoNLL files, counted from 1; 0 means that the reader finds it."""

    word: int = Field(default=0, ge=0)
    tag: int = Field(default=0, ge=0)


class PrepareParams(Params):
    """Section `prepare`."""

    source: str = Field(min_length=1)
    """Folder of the corpus, or a file for conll and jsonl."""
    format: Literal["bsnlp2019", "slavicner", "conll", "jsonl"]
    languages: list[str] = Field(default_factory=list)
    """ISO 639 codes of those wanted; none means all that there are."""
    splits: Splits
    columns: Columns = Columns()
    """Of conll alone."""

    @model_validator(mode="after")
    def _columns_of_conll(self) -> PrepareParams:
        if self.format != "conll" and self.columns != Columns():
            raise ValueError(f"columns are params of format conll; the format is {self.format}")
        return self

    def wanted(self) -> Wanted:
        """What the reader is asked for."""
        names = (name for split in SPLITS for name in getattr(self.splits, split))
        return Wanted(tuple(self.languages), frozenset(names), self.columns.word, self.columns.tag)


@dataclass(frozen=True)
class Prepared:
    """Documents by split, all segmented, in the corpus's order; and what is to be said of them."""

    splits: dict[Split, list[Document]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    problems: list[Problem] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def report(self) -> dict[str, Any]:
        """Counts by split and language, and every problem: `reports/prepare.json`."""
        counts = Counter(problem.kind for problem in self.problems)
        return {
            "segmentation": SEGMENTATION,
            "read": self.tally.report(),
            "splits": {split: _counts_by_language(documents) for split, documents in self.splits.items()},
            "problems": {kind: counts[kind] for kind in get_args(Kind)},
            "list": [
                {"document": p.document, "kind": p.kind, "form": p.form, "detail": p.detail} for p in self.problems
            ],
        }


def prepare(params: PrepareParams) -> Prepared:
    """Read the corpus and split it.

    Raises:
        UsageError: no such source, or a topic, document or language that the corpus lacks.
        DataError: a file that cannot be read, two documents of one key, or train or dev without annotations.
    """
    source = Path(params.source)
    if not source.exists():
        raise UsageError(f"prepare.source: {source}: no such file or folder")
    tally = Tally()
    readings = list(READERS[params.format](source, params.wanted(), tally))
    missing = set(params.languages) - {document.language for document, _ in readings} if readings else set()
    if missing and params.format != "conll":
        there = ", ".join(sorted({document.language for document, _ in readings}))
        raise UsageError(f"prepare.languages: no {', '.join(sorted(missing))} in {source}; found {there}")
    return split_readings(readings, params.splits, tally)


def split_readings(readings: Sequence[Reading], splits: Splits, tally: Tally | None = None) -> Prepared:
    """Put every document where its key or topic is named, segment it, and gather the problems of those taken.

    Raises:
        UsageError: a name that no document has, or a document named in two splits.
        DataError: two documents of one key, or a document without annotations in train or dev.
    """
    names: dict[str, Split] = {name: split for split in SPLITS for name in getattr(splits, split)}
    prepared = Prepared(tally=tally or Tally())
    _check_names(names, [document for document, _ in readings], prepared.tally.topics)
    for document, problems in readings:
        found = {name: names[name] for name in (document.topic, document.key) if name in names}
        if found:
            whole, more = _annotated(document)
            prepared.splits[_only(found, document)].append(whole)
            prepared.problems.extend((*problems, *more))
    _require_annotations(prepared)
    return prepared


def _check_names(names: Mapping[str, Split], documents: Sequence[Document], others: AbstractSet[str]) -> None:
    repeated = [key for key, count in Counter(document.key for document in documents).items() if count > 1]
    if repeated:
        raise DataError(f"two documents are called {repeated[0]}; ids must differ within topic and language")
    found = {document.topic for document in documents}
    there = found | {document.key for document in documents}
    topics = found | others
    for name, split in names.items():
        if name not in there:
            raise UsageError(
                f"prepare.splits.{split}: no topic or document {name!r} in the corpus; "
                f"its topics are {', '.join(sorted(topics)) or 'none'}"
            )


def _only(found: Mapping[str, Split], document: Document) -> Split:
    """The one split that a document is in by name."""
    first, *others = set(found.values())
    if others:
        where = " and ".join(f"{split} ({name})" for name, split in found.items())
        raise UsageError(f"prepare.splits: {document.key} is in {where}; leave one of them")
    return first


def _require_annotations(prepared: Prepared) -> None:
    without = {problem.document for problem in prepared.problems if problem.kind == "no annotations"}
    for split in SPLITS[:2]:
        bare = [document.key for document in prepared.splits[split] if document.key in without]
        if bare:
            raise DataError(
                f"{len(bare)} documents of {split} have no annotations, first {bare[0]}; "
                "learning or choosing by them would take every word for O: annotate them, or leave them out"
            )


def _annotated(document: Document) -> Reading:
    """The document with sentences, and what tags over its words cannot express."""
    whole = document if document.sentences else replace(document, sentences=segment(document.text, document.language))
    starts = [sentence.start for sentence in whole.sentences]
    inside: dict[int, list[Span]] = {}
    problems = []
    for span in whole.spans:
        position = bisect_right(starts, span.start) - 1
        if position >= 0 and span.end <= whole.sentences[position].end:
            inside.setdefault(position, []).append(span)
        else:
            problems.append(_problem(whole, "cut by a sentence boundary", span))
    for position, spans in inside.items():
        kinds = _fits(whole.sentences[position], spans)
        problems += [_problem(whole, kind, span) for span, kind in zip(spans, kinds, strict=True) if kind]
    return whole, tuple(problems)


def _fits(sentence: Sentence, spans: list[Span]) -> list[Kind | None]:
    """What becomes of each span inside a sentence as tags; None is nothing."""
    kept = set(word_spans(sentence, spans))
    kinds: list[Kind | None] = []
    for span in spans:
        widened = word_spans(sentence, [span])
        if not widened:
            kinds.append("not found")
        elif widened[0] not in kept:
            kinds.append("overlaps a longer span")
        else:
            kept.discard(widened[0])  # a second span of the same words is one too many
            kinds.append(None if character_span(sentence, widened[0]) == span else "widened to whole words")
    return kinds


def _problem(document: Document, kind: Kind, span: Span) -> Problem:
    return Problem(document.key, kind, document.text[span.start : span.end], f"{span.label} [{span.start}, {span.end})")


def _counts_by_language(documents: Iterable[Document]) -> dict[str, dict[str, Any]]:
    counts: dict[str, dict[str, Any]] = {}
    for document in documents:
        row = counts.setdefault(
            document.language, {"documents": 0, "sentences": 0, "words": 0, "spans": Counter[str]()}
        )
        row["documents"] += 1
        row["sentences"] += len(document.sentences)
        row["words"] += sum(len(sentence.words) for sentence in document.sentences)
        row["spans"].update(span.label for span in document.spans)
    return {language: {**row, "spans": dict(sorted(row["spans"].items()))} for language, row in sorted(counts.items())}
