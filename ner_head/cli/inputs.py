"""The inputs of a command: files, folders, patterns, standard input and texts of the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from ner_head.base.errors import NerHeadError, UsageError
from ner_head.cli.output import tell

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document
    from ner_head.prediction.groups import Pause
    from ner_head.prediction.sources import SourceOptions


class Inputs:
    """What a command reads.

    Args:
        files: files, folders, patterns such as `news/*.txt`, and `-` for standard input.
        texts: texts of the command line, which are read first.
        suffixes: suffixes of the files of a folder that are read; () if a folder is a source itself.
        skip: whether an input that cannot be read is told and left out.
    Raises:
        UsageError: there is no input, an input is given twice, a file does not exist, or a text is not UTF-8.
    """

    def __init__(
        self, files: Sequence[str], texts: Sequence[str], suffixes: Sequence[str], *, skip: bool = False
    ) -> None:
        if not files and not texts:
            raise UsageError("nothing to read: give files, - for standard input, or --text")
        self.skip, self.failed = skip, 0
        self.texts = [_option_text(number, text) for number, text in enumerate(texts, 1)]
        own = [f"text-{number}" for number in range(1, len(texts) + 1)]
        _check_names([*own, *files])
        self.paths: list[str] = []
        for given in files:
            try:
                self.paths += _expanded(given, suffixes)
            except NerHeadError as error:
                self.fail(error)
        _check_names([*own, *self.paths])

    def fail(self, error: NerHeadError) -> None:
        """Raise the error, or print it and count it if inputs that cannot be read are skipped."""
        if not self.skip:
            raise error
        tell(f"ner-head: skipped: {error}")
        self.failed += 1

    def documents(self, options: SourceOptions) -> Iterator[Document | Pause]:
        """The documents, one at a time. Texts without words are told."""
        from ner_head.corpus.documents import Document
        from ner_head.prediction.sources import read_documents

        texts = (Document(f"text-{number}", text) for number, text in enumerate(self.texts, 1))
        yield from told(texts)
        yield from told(read_documents(self.paths, options, self.fail))


def read_texts(files: list[str] | None, texts: list[str] | None) -> list[Document]:
    """Read all texts, one document each. Texts are exact, including line ends.

    Raises:
        UsageError: as `Inputs`, or a file cannot be read.
        DataError: a file is not UTF-8.
    """
    from ner_head.corpus.documents import Document
    from ner_head.prediction.sources import SUFFIXES, SourceOptions

    inputs = Inputs(files or [], texts or [], SUFFIXES["text"])
    return [item for item in inputs.documents(SourceOptions()) if isinstance(item, Document)]


def told(items: Iterable[Document | Pause]) -> Iterator[Document | Pause]:
    """The same items; a document without text is named on standard error."""
    from ner_head.corpus.documents import Document

    for item in items:
        if isinstance(item, Document) and not item.text.strip():
            tell(f"ner-head: {item.id}: no text in it")
        yield item


def _check_names(names: Iterable[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"{twice[0]}: given twice; every text needs an id of its own")


def _option_text(number: int, text: str) -> str:
    """Check a text of the command line, in which bytes that are not UTF-8 are lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"--text {number}: not UTF-8 at character {error.start}; give a file in UTF-8") from None
    return text


def _expanded(given: str, suffixes: Sequence[str]) -> list[str]:
    """The files that a file, a folder or a pattern means, in a fixed order."""
    from ner_head.formats.discovery import files_under
    from ner_head.formats.log import ReaderLog
    from ner_head.prediction.lines import name_of

    if given == "-":
        return [given]
    path = Path(given)
    if path.is_dir() and suffixes:
        return [str(file) for file in files_under(path, suffixes, ReaderLog())]
    try:
        path.stat()
    except OSError as error:
        found = sorted(glob(given, recursive=True))  # noqa: PTH207 (pathlib has no absolute patterns)
        if found := [file for file in found if not suffixes or not Path(file).is_dir()]:
            return found
        raise UsageError(f"{name_of(given)}: {error.strerror}") from None
    return [given]
