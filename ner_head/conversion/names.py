"""Folders with a file for each document: [TOPIC/LANGUAGE/]ID.suffix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import regex

from ner_head.base.errors import DataError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.languages import two_letters
from ner_head.evaluation.bsnlp_documents import NAMELESS, free_path, safe_name

_CODE = regex.compile(r"[a-z]{2,3}(-[a-z0-9]+)*")


class Identity(NamedTuple):
    """What the path of a file says about its document."""

    id: str
    language: str
    topic: str


def place(document: Document, root: Path, suffix: str, taken: set[str]) -> Path:
    """The path of a new file for a document; its folder is made. Documents without topic and language are in `root`.

    Args:
        document: the document.
        root: folder of all files.
        suffix: of the file.
        taken: paths of earlier documents; this one is added.
    """
    named = document.topic or document.language != UNKNOWN_LANGUAGE
    folder = root / safe_name(document.topic) / safe_name(document.language) if named else root
    path = free_path(folder, safe_name(document.id), suffix, taken)
    folder.mkdir(parents=True, exist_ok=True)
    return path


def identity(path: Path, root: Path) -> Identity:
    """Inverse of `place`. Of other folders, the innermost is the language if it is a code of ISO 639-1."""
    folders = [unquote(name) for name in path.parent.relative_to(root).parts]
    language = UNKNOWN_LANGUAGE
    if folders and (two_letters(folders[-1]) == folders[-1] or (len(folders) > 1 and _CODE.fullmatch(folders[-1]))):
        language = folders.pop()
    topic = "/".join(folders)
    return Identity(unquote(path.stem), language, "" if topic == NAMELESS else topic)


def files_of(source: Path, suffixes: Sequence[str]) -> Iterator[tuple[Path, Identity]]:
    """The source if it is a file, else all files below it with one of the suffixes, in a fixed order.

    Raises:
        DataError: there is no such file.
    """
    if source.is_file():
        yield source, identity(source, source.parent)
        return
    below = (path for path in source.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    found = sorted(path for path in below if not path.name.startswith("."))
    if not found:
        raise DataError(f"{source}: no files {' '.join(f'*{suffix}' for suffix in suffixes)} in it")
    for path in found:
        yield path, identity(path, source)
