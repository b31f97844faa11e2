"""What the readers of corpora share: the shape of a reading, and files as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from ner_head.corpus.documents import Document
from ner_head.errors import DataError

Kind = Literal[
    "no annotations",  # the document has no gold at all, which is not the same as no entities
    "row ignored",  # an annotation that the task's rules say to skip
    "not found",  # a mention whose form is nowhere in the text as whole words
    "two categories",  # a form with more than one; the first is taken
    "surface differs",  # offsets that cover other characters than the annotation says; left out
    "tag out of place",  # a tag that its scheme does not allow there; read by conlleval's rule
    "cut by a sentence boundary",  # kept in `Document.spans`, lost in tags
    "widened to whole words",  # exact in `Document.spans`, wider in tags
    "overlaps a longer span",  # kept in `Document.spans`, lost in tags
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the annotations that could not be taken as it stands; `document` is a key."""

    document: str
    kind: Kind
    form: str = ""
    detail: str = ""


Reading: TypeAlias = tuple[Document, tuple[Problem, ...]]
Reader: TypeAlias = Callable[[Path, Sequence[str]], Iterator[Reading]]
"""(source, languages) -> documents; no languages means all that there are."""


def read_text(path: Path) -> str:
    """The exact characters of a UTF-8 file, line ends included.

    Raises:
        DataError: no such file, or file and line of the first byte that is not UTF-8.
    """
    try:
        content = path.read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: not UTF-8 (byte 0x{content[error.start]:02x}); convert the file, for example with iconv"
        ) from None


def topic_folders(root: Path, languages: Sequence[str]) -> Iterator[tuple[str, str, Path]]:
    """Topic, language and folder of every root/TOPIC/LANGUAGE, in a fixed order.

    Raises:
        DataError: there is none.
    """
    folders = sorted(folder for folder in root.glob("*/*") if folder.is_dir())
    if not folders:
        raise DataError(f"{root}: no folders TOPIC/LANGUAGE in it; is the source of the corpus right?")
    for folder in folders:
        if not languages or folder.name in languages:
            yield folder.parent.name, folder.name, folder


def files_under(source: Path, suffixes: Sequence[str]) -> list[Path]:
    """The source itself if it is a file, else all files of these suffixes below it, in a fixed order.

    Raises:
        DataError: there is none.
    """
    if source.is_file():
        return [source]
    paths = sorted(path for path in source.rglob("*") if path.suffix in suffixes and path.is_file())
    if not paths:
        raise DataError(f"{source}: no files {', '.join('*' + suffix for suffix in suffixes)} in it")
    return paths
