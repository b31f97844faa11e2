"""Read a corpus, split it into segmented train, dev and test documents, and report problems of its annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from ner_head.base.errors import DataError, UsageError
from ner_head.base.params import Params, one_of
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.languages import same_language, tidy
from ner_head.corpus.segment import MAX_WORDS, SEGMENTATION
from ner_head.formats import FORMATS
from ner_head.formats.format import SourceDocument
from ner_head.formats.labels import look_alikes
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import DOCUMENT_WORDS, ReaderOptions
from ner_head.formats.problems import Problem, ProblemKind
from ner_head.preparation.accounts import Accounts
from ner_head.preparation.fitting import fit

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


def _as_name(value: object) -> object:
    """Convert a whole number, which YAML makes of the name `2019`, back into a name. Other values need quotes."""
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"must be a name; put it in quotes: '{value}'")
    return value


Name = Annotated[str, BeforeValidator(_as_name)]


class Splits(Params):
    """The documents of each split: names of topics, or keys of single documents (`topic/language/id`)."""

    train: list[Name] = Field(min_length=1)
    dev: list[Name] = Field(default_factory=list)
    test: list[Name] = Field(default_factory=list)

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
    """Columns of CoNLL files, counted from 1; 0 to detect a column."""

    word: int = Field(default=0, ge=0)
    tag: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _differ(self) -> Columns:
        if self.word and self.word == self.tag:
            raise ValueError(f"words and tags are in two columns; both are {self.word}")
        return self


class PrepareParams(Params):
    """Section `prepare`."""

    source: str = Field(min_length=1)
    """Folder of the corpus; a single file for conll and jsonl."""
    format: Annotated[str, one_of(FORMATS)]
    """Name of the corpus format."""
    languages: list[str] = Field(default_factory=list)
    """ISO 639 codes of the languages to read; empty for all languages."""
    splits: Splits
    max_words: int = Field(default=MAX_WORDS, ge=2)
    """Longest sentence, in words. Longer sentences are cut, at punctuation if possible."""
    max_lost: float = Field(default=0.1, ge=0, le=1)
    """Largest share of the mentions of a split or a language that may be lost; more is an error."""
    document_words: int = Field(default=DOCUMENT_WORDS, ge=1)
    """Number of words per document when a CoNLL file without document marks is split, approximately."""
    glue: Literal["auto", "none"] = "auto"
    """How words without a text (conll, lists of words in jsonl) are joined: by spacing rules, or by single spaces."""
    columns: Columns = Columns()
    """Columns of CoNLL files."""

    @model_validator(mode="after")
    def _no_columns_without_use(self) -> PrepareParams:
        if not FORMATS[self.format].has_columns and self.columns != Columns():
            named = " and ".join(format.name for format in FORMATS.values() if format.has_columns)
            raise ValueError(f"columns are params of format {named}; the format is {self.format}")
        return self

    def reader_options(self) -> ReaderOptions:
        """The options of the reader."""
        names = (name for split in SPLITS for name in getattr(self.splits, split))
        return ReaderOptions(
            tuple(dict.fromkeys(map(tidy, self.languages))),
            frozenset(names),
            self.columns.word,
            self.columns.tag,
            self.glue == "auto",
            self.document_words,
        )


@dataclass(frozen=True)
class Prepared:
    """The prepared corpus.

    Attributes:
        splits: segmented documents of each split, in the order of the corpus.
        problems: problems of these documents.
        log: log of the reader.
        accounts: counts of documents and mentions.
    """

    splits: dict[Split, list[Document]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    problems: list[Problem] = field(default_factory=list)
    log: ReaderLog = field(default_factory=ReaderLog)
    accounts: Accounts = field(default_factory=Accounts)

    def report(self) -> dict[str, Any]:
        """Content of `reports/prepare.json`: counts by split and language, and all problems."""
        counts = Counter(problem.kind for problem in self.problems)
        return {
            "segmentation": SEGMENTATION,
            "read": self.log.report(),
            **self.accounts.report(self.log),
            "splits": {split: _counts_by_language(documents) for split, documents in self.splits.items()},
            "problems": {kind: counts[kind] for kind in get_args(ProblemKind)},
            "list": [
                {"document": p.document, "kind": p.kind, "form": p.form, "detail": p.detail} for p in self.problems
            ],
        }


def prepare(params: PrepareParams) -> Prepared:
    """Read the corpus and split it.

    Raises:
        UsageError: the source does not exist, or the corpus lacks a topic, document or language.
        DataError: a file cannot be read, two documents have the same key, a label is invalid, a document of train or
            dev has no annotations, or too many mentions are lost.
    """
    source = Path(params.source)
    if not source.exists():
        raise UsageError(f"prepare.source: {source}: no such file or folder")
    log, options, corpus_format = ReaderLog(), params.reader_options(), FORMATS[params.format]
    sources = list(corpus_format.read(source, options, log))
    log.languages.update(document.language for document, _ in sources)
    if corpus_format.requires_languages:
        _check_languages(options.languages, log.languages, source)
    prepared = split_documents(sources, params.splits, log, max_words=params.max_words)
    prepared.accounts.check_losses(params.max_lost)
    return prepared


def split_documents(
    sources: Sequence[SourceDocument], splits: Splits, log: ReaderLog | None = None, *, max_words: int = MAX_WORDS
) -> Prepared:
    """Put each document into the split that names its key or topic, and segment it.

    Raises:
        UsageError: a split names no document, or a document is named by two splits.
        DataError: two documents have the same key, a label is invalid, or a document of train or dev has no
            annotations.
    """
    names: dict[str, Split] = {name: split for split in SPLITS for name in getattr(splits, split)}
    prepared = Prepared(log=log or ReaderLog())
    log = prepared.log
    _check_names(names, [document for document, _ in sources], log.topics)
    longest: list[int] = []
    for document, problems in sources:
        found = {name: names[name] for name in (document.topic, document.key) if name in names}
        if not found:
            prepared.accounts.leave_out(document, problems)
            continue
        split, fitted = _only(found, document), fit(document, max_words)
        prepared.splits[split].append(fitted.document)
        prepared.problems.extend((*problems, *fitted.problems))
        prepared.accounts.add(split, fitted, problems, log.annotations.get(document.key))
        longest += fitted.cut
    _require_annotations(prepared)
    log.notices += _notices(prepared, longest, max_words)
    return prepared


def _notices(prepared: Prepared, longest: Sequence[int], max_words: int) -> list[str]:
    """Notices about long sentences and similar labels; `longest` has the number of words of each cut sentence."""
    notices = []
    if longest:
        notices.append(
            f"{len(longest):,} sentences of more than {max_words:,} words (prepare.max_words) were cut; "
            f"longest sentence: {max(longest):,} words"
        )
    labels = {span.label for documents in prepared.splits.values() for document in documents for span in document.spans}
    notices += [f"labels that look alike: {', '.join(map(repr, group))}" for group in look_alikes(labels)]
    return notices


def _check_languages(languages: Sequence[str], there: AbstractSet[str], source: Path) -> None:
    missing = [language for language in languages if language not in there]
    if missing:
        found = ", ".join(sorted(there)) or "none"
        pairs = [(code, same_language(code, sorted(there - {UNKNOWN_LANGUAGE}))) for code in missing]
        hints = [
            f"{other} is the corpus's code of {code}: write {other} in prepare.languages"
            for code, other in pairs
            if other
        ]
        raise UsageError("; ".join([f"prepare.languages: no {', '.join(missing)} in {source}; found {found}", *hints]))


def _check_names(names: Mapping[str, Split], documents: Sequence[Document], others: AbstractSet[str]) -> None:
    repeated = [key for key, count in Counter(document.key for document in documents).items() if count > 1]
    if repeated:
        raise DataError(f"two documents are called {repeated[0]}; ids must differ within topic and language")
    found = {document.topic for document in documents}
    there = found | {document.key for document in documents}
    topics = found | others
    for name, split in names.items():
        if name not in there and name in others:
            raise UsageError(f"prepare.splits.{split}: every document of {name!r} is left out; see prepare.languages")
        if name not in there:
            raise UsageError(
                f"prepare.splits.{split}: no topic or document {name!r} in the corpus; "
                f"its topics are {', '.join(sorted(topics)) or 'none'}"
            )


def _only(found: Mapping[str, Split], document: Document) -> Split:
    """The only split that names a document."""
    first, *others = set(found.values())
    if others:
        where = " and ".join(f"{split} ({name})" for name, split in found.items())
        raise UsageError(f"prepare.splits: {document.key} is in {where}; leave one of them")
    return first


def _require_annotations(prepared: Prepared) -> None:
    without = {problem.document: problem.detail for problem in prepared.problems if problem.kind == "no annotations"}
    for split in SPLITS[:2]:
        bare = [document.key for document in prepared.splits[split] if document.key in without]
        if bare:
            detail = without[bare[0]]
            raise DataError(
                f"{len(bare)} documents of {split} have no annotations, first {bare[0]}{detail and f' ({detail})'}; "
                "learning or choosing by them would take every word for O: annotate them, or leave them out"
            )


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
