"""Which files of a folder belong to a corpus. What is passed over is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import regex

from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE
from ner_head.corpus.languages import tidy, two_letters
from ner_head.formats.reading import Tally, Wanted

NOT_NAMED = "no split names it"
OTHER_LANGUAGE = "a language that prepare.languages does not name"
# a code of ISO 639-3, but no other short name that folders of corpora have
_CODE = regex.compile(r"(?!(?:all|bio|csv|dev|iob|ner|new|old|out|raw|src|tmp|tsv|txt|zip)$)[a-z]{3}")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, and what its place says of the documents in it."""

    path: Path
    topic: str
    language: str


def topic_folders(root: Path, wanted: Wanted, tally: Tally) -> Iterator[tuple[str, str, Path]]:
    """Topic, language and folder of every root/TOPIC/LANGUAGE that is wanted, in a fixed order.

    Raises:
        DataError: there is none.
    """
    folders = [folder for topic in _folders_in(root, tally) for folder in _folders_in(topic, tally)]
    if not folders:
        raise DataError(f"{root}: no folders TOPIC/LANGUAGE in it; is the source of the corpus right?")
    for folder in folders:
        topic, language = folder.parent.name, folder.name
        tally.topics.add(topic)
        tally.languages.add(tidy(language))
        if not wanted.has_language(language):
            tally.passed_over[folder] = OTHER_LANGUAGE
        elif not wanted.has_topic(topic):
            tally.passed_over[folder] = NOT_NAMED
        else:
            yield topic, language, folder


def require_texts(texts: Path, annotations: Path, wanted: Wanted, tally: Tally) -> None:
    """Say which folders TOPIC/LANGUAGE of annotations have no folder of texts; raise if one is wanted.

    Raises:
        DataError: annotations that are wanted, but whose texts are not there.
    """
    for folder in (folder for topic in _folders_in(annotations, tally) for folder in _folders_in(topic, tally)):
        topic, language = folder.parent.name, folder.name
        if (texts / topic / language).is_dir():
            continue
        if wanted.has_topic(topic) and wanted.has_language(language):
            raise DataError(f"{folder}: annotations without texts; expected {texts / topic / language}")
        tally.passed_over[folder] = "annotations without texts, and not wanted"


def _folders_in(folder: Path, tally: Tally) -> list[Path]:
    """The folders in a folder, by name; anything else is passed over."""
    found = []
    for path in sorted(_entries(folder)) if folder.is_dir() else ():
        if _is_hidden(path, folder):
            tally.passed_over[path] = "hidden"
        elif path.is_dir():
            found.append(path)
        else:
            tally.passed_over[path] = "not in a folder TOPIC/LANGUAGE"
    return found


def files_in(folder: Path, suffixes: Sequence[str], tally: Tally) -> list[Path]:
    """The files of these suffixes in a folder, by name, but no README; none where there is no such folder."""
    paths = _walk(folder, tally, deep=False) if folder.is_dir() else []
    readme = [path for path in paths if path.stem.lower() == "readme"]
    tally.passed_over.update(dict.fromkeys(readme, "a README"))
    return _of_suffix([path for path in paths if path not in readme], suffixes, tally)


def files_under(source: Path, suffixes: Sequence[str], tally: Tally) -> list[Path]:
    """The source itself if it is a file, else all files of these suffixes below it, in a fixed order.

    Raises:
        DataError: there is none.
    """
    if source.is_file():
        return [source]
    paths = _of_suffix(_walk(source, tally), suffixes, tally)
    if not paths:
        raise DataError(f"{source}: no files {_patterns(suffixes)} in it")
    return paths


def named_files(source: Path, suffixes: Sequence[str], wanted: Wanted, tally: Tally) -> list[NamedFile]:
    """The source itself if it is a file, else the files below it whose topic a split names, in a fixed order.

    The topic is the file's stem; its whole name if the suffix is not one of these. The language is the nearest
    folder that is one of those wanted, else the nearest that is called like a language.

    Raises:
        UsageError: there are files, but none of the languages wanted.
        DataError: there is no file, or two have one topic and language.
    """
    single = source.is_file()
    paths = [source] if single else _walk(source, tally)
    languages = {source.parent: UNKNOWN_LANGUAGE} if single else _languages(paths, source, wanted)
    files = [
        NamedFile(path, path.stem if path.suffix.lower() in suffixes else path.name, languages[path.parent])
        for path in paths
    ]
    tally.topics.update(file.topic for file in files)
    tally.languages.update(file.language for file in files)
    kept: dict[tuple[str, str], NamedFile] = {}
    for file in files:
        if wanted.names is None and not single and file.path.suffix.lower() not in suffixes:
            tally.passed_over[file.path] = f"its suffix is none of {_patterns(suffixes)}"
        elif not wanted.has_topic(file.topic):
            tally.passed_over[file.path] = NOT_NAMED
        elif file.language != UNKNOWN_LANGUAGE and not wanted.has_language(file.language):
            tally.passed_over[file.path] = OTHER_LANGUAGE
        elif twin := kept.get((file.topic, file.language)):
            raise DataError(
                f"{twin.path} and {file.path} have one topic, {file.topic!r}, and one language, {file.language}; "
                "rename one of them, or name their folders in prepare.languages"
            )
        else:
            kept[file.topic, file.language] = file
    if not files:
        raise DataError(f"{source}: no files {_patterns(suffixes)} in it")
    _check_languages(source, list(kept.values()), wanted, tally)
    return list(kept.values())


def _check_languages(source: Path, kept: list[NamedFile], wanted: Wanted, tally: Tally) -> None:
    missing = sorted(set(wanted.languages) - {file.language for file in kept})
    others = sorted(tally.languages - {UNKNOWN_LANGUAGE})
    if missing and not kept and OTHER_LANGUAGE in tally.passed_over.values():
        raise UsageError(f"prepare.languages: no {', '.join(missing)} in {source}; its folders say {', '.join(others)}")
    if missing and kept:
        unknown = sum(file.language == UNKNOWN_LANGUAGE for file in kept)
        tally.notices.append(
            f"{source}: no file in a folder called {' or '.join(missing)}"
            + (f"; {unknown:,} files are in no folder of a language ({UNKNOWN_LANGUAGE})" if unknown else "")
        )


def _languages(paths: Sequence[Path], root: Path, wanted: Wanted) -> dict[Path, str]:
    """The language of every folder that holds a file: that of the nearest folder which is called like one.

    Like one that is wanted; like one that ISO 639-1 has; or like three letters beside such a folder, because
    ISO 639-3 has a language for almost any three letters.
    """
    chains = {path.parent: (path.parent, *path.parent.parents) for path in paths}
    folders = {f for chain in chains.values() for f in chain if f.is_relative_to(root)}
    codes = {folder: tidy(folder.name) for folder in folders}
    if tidy(root.name) not in wanted.languages:  # how a corpus is called says nothing, unless it is asked for
        codes.pop(root, None)
    known = {folder: code for folder, code in codes.items() if code in wanted.languages or two_letters(code)}
    beside = {folder.parent for folder in known}
    others = {folder: code for folder, code in codes.items() if folder.parent in beside and _CODE.fullmatch(code)}
    named = others | known
    return {folder: next((named[f] for f in chain if f in named), UNKNOWN_LANGUAGE) for folder, chain in chains.items()}


def _of_suffix(paths: list[Path], suffixes: Sequence[str], tally: Tally) -> list[Path]:
    """Those of these suffixes, in capitals or not; the others are passed over."""
    kept = []
    for path in paths:
        if path.suffix.lower() in suffixes:
            kept.append(path)
        else:
            tally.passed_over[path] = f"its suffix is none of {_patterns(suffixes)}"
    return kept


def _patterns(suffixes: Sequence[str]) -> str:
    return ", ".join(f"*{suffix}" for suffix in suffixes)


def _is_hidden(path: Path, root: Path) -> bool:
    """Whether a name below the root begins with a dot, or is that of a folder which macOS puts into archives."""
    return any(name.startswith(".") or name == "__MACOSX" for name in path.relative_to(root).parts)


def _walk(root: Path, tally: Tally, *, deep: bool = True) -> list[Path]:
    """All files below a folder, in a fixed order. Links are followed; no folder is visited twice."""
    found: list[Path] = []
    links: list[Path] = []
    folders, seen = [root], set[tuple[int, int]]()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)  # real folders first: a link to one is the second name
        identity = (status := folder.stat()).st_dev, status.st_ino
        if identity in seen:
            tally.passed_over[folder] = "a link to a folder that is read already"
            continue
        seen.add(identity)
        for path in sorted(_entries(folder)):
            if _is_hidden(path, root):
                tally.passed_over[path] = "hidden"
            elif path.is_file():
                found.append(path)
            elif not path.is_dir():
                tally.passed_over[path] = "neither a file nor a folder, or a link to nothing"
            elif deep:
                (links if path.is_symlink() else folders).append(path)
            else:
                tally.passed_over[path] = "a folder below TOPIC/LANGUAGE"
    return sorted(found)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from None
