"""Read a corpus, split it into segmented train, dev and test documents, and report problems of its annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

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
from ner_head.preparation.parts import Columns, Part, read_part
from ner_head.preparation.splits import SPLITS, Split, Splits, assign


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
    parts: list[Part] = Field(default_factory=list)
    """Corpora in the folder `source`, which annotate different labels; empty if `source` is one corpus."""

    @model_validator(mode="after")
    def _no_columns_without_use(self) -> PrepareParams:
        pairs = [(self.format, self.columns), *((part.format or self.format, part.columns) for part in self.parts)]
        for name, columns in pairs:
            if not FORMATS[name].has_columns and columns != Columns():
                named = " and ".join(format.name for format in FORMATS.values() if format.has_columns)
                raise ValueError(f"columns are params of format {named}; the format is {name}")
        return self

    def reader_options(self) -> ReaderOptions:
        """The options of the reader."""
        return ReaderOptions(
            tuple(dict.fromkeys(map(tidy, self.languages))),
            frozenset(self.splits.names()),
            self.columns.word,
            self.columns.tag,
            self.glue == "auto",
            self.document_words,
        )

    def part_options(self, part: Part) -> ReaderOptions:
        """The options of the reader of one of several corpora. With a name, topics are called otherwise than here."""
        options = self.reader_options()
        names = None if part.name else options.names
        return replace(options, names=names, word_column=part.columns.word, tag_column=part.columns.tag)

    def formats(self) -> list[str]:
        """The formats of all corpora."""
        return [part.format or self.format for part in self.parts] or [self.format]


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
    log = ReaderLog()
    if params.parts:
        sources = [
            document
            for part in params.parts
            for document in read_part(source, part, part.format or params.format, params.part_options(part), log)
        ]
    else:
        sources = list(FORMATS[params.format].read(source, params.reader_options(), log))
    log.languages.update(document.language for document, _ in sources)
    if all(FORMATS[name].requires_languages for name in params.formats()):
        _check_languages(params.reader_options().languages, log.languages, source)
    prepared = split_documents(sources, params.splits, log, max_words=params.max_words)
    prepared.accounts.check_losses(params.max_lost)
    return prepared


def split_documents(
    sources: Sequence[SourceDocument], splits: Splits, log: ReaderLog | None = None, *, max_words: int = MAX_WORDS
) -> Prepared:
    """Put each document into its split, and segment it.

    Raises:
        UsageError: as in `assign`.
        DataError: two documents have the same key, a label is invalid, or a document of train or dev has no
            annotations.
    """
    prepared = Prepared(log=log or ReaderLog())
    log = prepared.log
    split_of = assign([document for document, _ in sources], splits, log.topics)
    longest: list[int] = []
    for document, problems in sources:
        if (split := split_of.get(document.key)) is None:
            prepared.accounts.leave_out(document, problems)
            continue
        fitted = fit(document, max_words)
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
    for split, documents in prepared.splits.items():
        sets = Counter(document.annotates for document in documents)
        notices += [
            f"{split}: {count:,} documents annotate {', '.join(labels)} and no other label"
            for labels, count in sorted((labels, n) for labels, n in sets.items() if labels is not None)
        ]
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


def table(report: dict[str, Any]) -> str:
    """A text table of counts by split and language, followed by the counts of problems."""
    lines = [f"{'split':6}{'language':10}{'documents':>10}{'sentences':>10}{'words':>10}  spans"]
    for split, languages in report["splits"].items():
        for language, row in languages.items():
            numbers = f"{row['documents']:>10,}{row['sentences']:>10,}{row['words']:>10,}"
            spans = " ".join(f"{label} {count:,}" for label, count in Counter(row["spans"]).most_common())
            lines.append(f"{split:6}{language:10}{numbers}  {spans}")
    lines += [f"{count:,} {kind}" for kind, count in report["problems"].items() if count]
    return "\n".join(lines)
