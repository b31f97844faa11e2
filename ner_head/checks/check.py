"""Read a corpus and run all checks on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ner_head.base.errors import DataError
from ner_head.checks.annotations import (
    check_fit,
    check_labels,
    check_punctuation,
    check_sentences,
    check_types,
)
from ner_head.checks.copies import check_copies
from ner_head.checks.findings import CheckReport, Finding, Kind, Place
from ner_head.checks.places import Places
from ner_head.checks.texts import check_alphabets, check_files, check_pieces
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import MAX_WORDS
from ner_head.formats import FORMATS
from ner_head.formats.format import SourceDocument
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.preparation.fitting import fit
from ner_head.preparation.splits import SPLITS, Splits, assign

if TYPE_CHECKING:
    from ner_head.features.extraction.wordpieces import WordPieces

FEWEST = 20  # documents
WHOLE = "all"
"""Name of the only split of a corpus that is checked without splits."""


@dataclass(frozen=True)
class Corpus:
    """What is checked.

    Attributes:
        source: file or folder.
        format: name of the corpus format.
        options: options of the reader.
        splits: the splits; None for a corpus without splits.
        max_words: longest sentence, in words.
    """

    source: Path
    format: str
    options: ReaderOptions = field(default_factory=ReaderOptions)
    splits: Splits | None = None
    max_words: int = MAX_WORDS


@dataclass(frozen=True)
class Tokenization:
    """The tokenizer of the encoder, and the number of word pieces in a pass."""

    word_pieces: WordPieces
    limit: int


def check(corpus: Corpus, tokenization: Tokenization | None = None) -> CheckReport:
    """Check a corpus.

    Args:
        corpus: the corpus.
        tokenization: tokenizer of the encoder; None to check without one.
    Raises:
        UsageError: a split names what the corpus does not have, or scipy is not installed.
    """
    report, log, places = CheckReport(), ReaderLog(), Places(corpus.format)
    sources = _read(corpus, log, places, report)
    report.findings += check_files(dict.fromkeys(log.files))
    report.notes += log.lines()
    if not sources:
        report.findings.append(Finding("error", "unreadable", "no document could be read"))
        return report
    split_of = _splits(corpus, sources, log, report)
    documents = _fitted(corpus, [each for each in sources if each.document.key in split_of], places, report)
    splits = {name: [d for d in documents if split_of[d.key] == name] for name in (WHOLE, *SPLITS)}
    splits = {name: found for name, found in splits.items() if found}
    report.counts = _counts(splits)
    findings = report.findings
    if len(documents) < FEWEST:
        message = f"{len(documents)} documents; scores of so few say little, {FEWEST} or more are needed"
        findings.append(Finding("warning", "few examples", message))
    findings += check_copies(documents, split_of, places)
    findings += check_types(splits)
    findings += check_labels(documents, places)
    findings += check_sentences(documents, places)
    findings += check_punctuation(documents, places)
    findings += check_alphabets(documents, places)
    if tokenization is not None:
        findings += check_pieces(documents, places, tokenization.word_pieces, limit=tokenization.limit)
    return report


def _read(corpus: Corpus, log: ReaderLog, places: Places, report: CheckReport) -> list[SourceDocument]:
    """The documents up to the first that cannot be read. Problems that the reader reports become findings."""
    found: list[SourceDocument] = []
    try:
        for each in FORMATS[corpus.format].read(corpus.source, corpus.options, log):
            places.add(each.document, log.files)
            found.append(each)
            for problem in each.problems:
                kind: Kind = "no annotations" if problem.kind == "no annotations" else "annotation"
                shown = " ".join(filter(None, (problem.kind, problem.form and repr(problem.form), problem.detail)))
                place = Place(places.file(each.document), problem.document)
                report.findings.append(Finding("warning", kind, shown, (place,)))
    except DataError as error:
        rest = "; the documents after it are not checked" if found else ""
        report.findings.append(Finding("error", "unreadable", f"{error}{rest}"))
        if not found:
            report.findings += check_files(_files_below(corpus.source))
    return found


def _files_below(source: Path) -> list[Path]:
    """All files of a corpus that cannot be read, without hidden ones."""
    if source.is_file():
        return [source]
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    return [path for path in paths if not any(name.startswith(".") for name in path.relative_to(source).parts)]


def _splits(
    corpus: Corpus, sources: Sequence[SourceDocument], log: ReaderLog, report: CheckReport
) -> Mapping[str, str]:
    """The split of each document, by its key."""
    documents = [each.document for each in sources]
    for key, number in Counter(document.key for document in documents).items():
        if number > 1:
            message = f"{number} documents are called {key}; ids must differ within topic and language"
            report.findings.append(Finding("error", "same name", message))
    repeated = any(finding.kind == "same name" for finding in report.findings)
    if corpus.splits is None or repeated:
        return dict.fromkeys((document.key for document in documents), WHOLE)
    return assign(documents, corpus.splits, log.topics)


def _fitted(corpus: Corpus, sources: Sequence[SourceDocument], places: Places, report: CheckReport) -> list[Document]:
    """The documents with sentences and spans as training gets them."""
    documents = []
    for document, _ in sources:
        try:
            fitted = fit(document, corpus.max_words)
        except DataError as error:
            report.findings.append(
                Finding("error", "invalid label", str(error), (Place(places.file(document), document.key),))
            )
            continue
        documents.append(fitted.document)
        report.findings += check_fit(document, fitted, places)
    return documents


def _counts(splits: Mapping[str, Sequence[Document]]) -> list[dict[str, Any]]:
    """Counts by split, topic and language."""
    rows = []
    for split, documents in splits.items():
        members: dict[tuple[str, str], list[Document]] = {}
        for document in documents:
            members.setdefault((document.topic, document.language), []).append(document)
        for (topic, language), mine in sorted(members.items(), key=itemgetter(0)):
            sentences = [sentence for document in mine for sentence in document.sentences]
            rows.append(
                {
                    "split": split,
                    "topic": topic,
                    "language": language,
                    "documents": len(mine),
                    "sentences": len(sentences),
                    "words": sum(len(sentence.words) for sentence in sentences),
                    "spans": dict(Counter(span.label for document in mine for span in document.spans)),
                }
            )
    return rows
