"""Find out what format a corpus has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ner_head.base.errors import DataError, NerHeadError, UsageError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.formats import FORMATS
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions


@dataclass(frozen=True)
class Detected:
    """A corpus in the format that reads most mentions.

    Attributes:
        format: name of the format.
        documents: all documents.
        log: log of the reader.
    """

    format: str
    documents: list[Document]
    log: ReaderLog

    @property
    def n_mentions(self) -> int:
        """Number of mentions in all documents."""
        return sum(len(document.spans) for document in self.documents)

    @property
    def languages(self) -> list[str]:
        """Codes of the languages, sorted; empty if the language of a document is unknown."""
        found = {document.language for document in self.documents}
        return [] if UNKNOWN_LANGUAGE in found else sorted(found)


def detect(source: Path, formats: Iterable[str] = tuple(FORMATS)) -> Detected:
    """Read a corpus in each format, and select the format that finds most mentions.

    Args:
        source: file or folder.
        formats: names of the formats to try.
    Raises:
        UsageError: the source does not exist.
        DataError: no format finds a mention; gives the reason of each.
    """
    if not source.exists():
        raise UsageError(f"{source}: no such file or folder")
    best: Detected | None = None
    reasons: list[str] = []
    for name in formats:
        log = ReaderLog()
        try:
            found = Detected(name, [document for document, _ in FORMATS[name].read(source, ReaderOptions(), log)], log)
        except NerHeadError as error:
            reasons.append(f"{name}: {error}")
            continue
        if not found.n_mentions:
            reasons.append(f"{name}: {len(found.documents):,} documents without a mention")
        elif best is None or found.n_mentions > best.n_mentions:
            best = found
    if best is None:
        raise DataError(f"{source}: no annotated corpus in a known format ({'; '.join(reasons)})")
    return best
