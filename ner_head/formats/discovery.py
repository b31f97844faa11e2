"""Find the files of a corpus in a folder. Files that are not read are logged with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import regex

from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE
from ner_head.corpus.languages import tidy, two_letters
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions

NOT_NAMED = "no split names it"
OTHER_LANGUAGE = "a language that prepare.languages does not name"
# codes of ISO 639-3, without short names that are common for folders of corpora
_CODE = regex.compile(r"(?!(?:all|bio|csv|dev|iob|ner|new|old|out|raw|src|tmp|tsv|txt|zip)$)[a-z]{3}")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, with the topic and language of its documents."""

    path: Path
    topic: str
    language: str


def topic_folders(root: Path, options: ReaderOptions, log: ReaderLog) -> Iterator[tuple[str, str, Path]]:
    """Topic, language and path of each folder root/TOPIC/LANGUAGE that the options include, in a fixed order.

    Raises:
        DataError: there is no such folder.
    """
    folders = [folder for topic in _folders_in(root, log) for folder in _folders_in(topic, log)]
    if not folders:
        raise DataError(f"{root}: no folders TOPIC/LANGUAGE in it; is the source of the corpus right?")
    for folder in folders:
        topic, language = folder.parent.name, folder.name
        log.topics.add(topic)
        log.languages.add(tidy(language))
        if not options.includes_language(language):
            log.passed_over[folder] = OTHER_LANGUAGE
        elif not options.includes_topic(topic):
            log.passed_over[folder] = NOT_NAMED
        else:
            yield topic, language, folder


def require_texts(texts: Path, annotations: Path, options: ReaderOptions, log: ReaderLog) -> None:
    """Check that each folder TOPIC/LANGUAGE of annotations has a folder of texts.

    Raises:
        DataError: it has none, and the options include it.
    """
    for folder in (folder for topic in _folders_in(annotations, log) for folder in _folders_in(topic, log)):
        topic, language = folder.parent.name, folder.name
        if (texts / topic / language).is_dir():
            continue
        if options.includes_topic(topic) and options.includes_language(language):
            raise DataError(f"{folder}: annotations without texts; expected {texts / topic / language}")
        log.passed_over[folder] = "annotations without texts, and not wanted"


def _folders_in(folder: Path, log: ReaderLog) -> list[Path]:
    """The folders in a folder, sorted. Other entries are logged."""
    found = []
    for path in sorted(_entries(folder)) if folder.is_dir() else ():
        if _is_hidden(path, folder):
            log.passed_over[path] = "hidden"
        elif path.is_dir():
            found.append(path)
        else:
            log.passed_over[path] = "not in a folder TOPIC/LANGUAGE"
    return found


def files_in(folder: Path, suffixes: Sequence[str], log: ReaderLog) -> list[Path]:
    """The files with these suffixes in a folder, sorted, without a README. Empty if there is no such folder."""
    paths = _walk(folder, log, deep=False) if folder.is_dir() else []
    readme = [path for path in paths if path.stem.lower() == "readme"]
    log.passed_over.update(dict.fromkeys(readme, "a README"))
    return _of_suffix([path for path in paths if path not in readme], suffixes, log)


def files_under(source: Path, suffixes: Sequence[str], log: ReaderLog) -> list[Path]:
    """The source if it is a file, else all files with these suffixes below it, in a fixed order.

    Raises:
        DataError: there is no such file.
    """
    if source.is_file():
        return [source]
    paths = _of_suffix(_walk(source, log), suffixes, log)
    if not paths:
        raise DataError(f"{source}: no files {_patterns(suffixes)} in it")
    return paths


def named_files(source: Path, suffixes: Sequence[str], options: ReaderOptions, log: ReaderLog) -> list[NamedFile]:
    """The source if it is a file, else the files below it that the options include, in a fixed order.

    The topic is the file's stem, or its whole name if it has another suffix than these. The language is that of the
    nearest folder named like a language of the options, else of the nearest folder named like any language.

    Raises:
        UsageError: there are files, but none in the languages of the options.
        DataError: there is no file, or two files have the same topic and language.
    """
    single = source.is_file()
    paths = [source] if single else _walk(source, log)
    languages = {source.parent: UNKNOWN_LANGUAGE} if single else _languages(paths, source, options)
    files = [
        NamedFile(path, path.stem if path.suffix.lower() in suffixes else path.name, languages[path.parent])
        for path in paths
    ]
    log.topics.update(file.topic for file in files)
    log.languages.update(file.language for file in files)
    kept: dict[tuple[str, str], NamedFile] = {}
    for file in files:
        if not options.includes_topic(file.topic):
            log.passed_over[file.path] = NOT_NAMED
        elif not single and file.path.suffix.lower() not in suffixes and not options.names_topic(file.topic):
            log.passed_over[file.path] = f"its suffix is none of {_patterns(suffixes)}"
        elif file.language != UNKNOWN_LANGUAGE and not options.includes_language(file.language):
            log.passed_over[file.path] = OTHER_LANGUAGE
        elif twin := kept.get((file.topic, file.language)):
            raise DataError(
                f"{twin.path} and {file.path} have one topic, {file.topic!r}, and one language, {file.language}; "
                "rename one of them, or name their folders in prepare.languages"
            )
        else:
            kept[file.topic, file.language] = file
    if not files:
        raise DataError(f"{source}: no files {_patterns(suffixes)} in it")
    _check_languages(source, list(kept.values()), options, log)
    return list(kept.values())


def _check_languages(source: Path, kept: list[NamedFile], options: ReaderOptions, log: ReaderLog) -> None:
    missing = sorted(set(options.languages) - {file.language for file in kept})
    others = sorted(log.languages - {UNKNOWN_LANGUAGE})
    if missing and not kept and OTHER_LANGUAGE in log.passed_over.values():
        raise UsageError(f"prepare.languages: no {', '.join(missing)} in {source}; its folders say {', '.join(others)}")
    if missing and kept:
        unknown = sum(file.language == UNKNOWN_LANGUAGE for file in kept)
        log.notices.append(
            f"{source}: no file in a folder called {' or '.join(missing)}"
            + (f"; {unknown:,} files are in no folder of a language ({UNKNOWN_LANGUAGE})" if unknown else "")
        )


def _languages(paths: Sequence[Path], root: Path, options: ReaderOptions) -> dict[Path, str]:
    """The language of each folder with files: that of the nearest folder around it that is named like a language.

    Such names are the languages of the options, and codes of ISO 639-1. Names of three letters count only beside such
    a folder, because ISO 639-3 has a language for almost any three letters.
    """
    chains = {path.parent: (path.parent, *path.parent.parents) for path in paths}
    folders = {f for chain in chains.values() for f in chain if f.is_relative_to(root)}
    codes = {folder: tidy(folder.name) for folder in folders}
    if tidy(root.name) not in options.languages:  # the name of the corpus is not a language, unless it is asked for
        codes.pop(root, None)
    known = {folder: code for folder, code in codes.items() if code in options.languages or two_letters(code)}
    beside = {folder.parent for folder in known}
    others = {folder: code for folder, code in codes.items() if folder.parent in beside and _CODE.fullmatch(code)}
    named = others | known
    return {folder: next((named[f] for f in chain if f in named), UNKNOWN_LANGUAGE) for folder, chain in chains.items()}


def _of_suffix(paths: list[Path], suffixes: Sequence[str], log: ReaderLog) -> list[Path]:
    """The paths with one of these suffixes, in any case. Other paths are logged."""
    kept = []
    for path in paths:
        if path.suffix.lower() in suffixes:
            kept.append(path)
        else:
            log.passed_over[path] = f"its suffix is none of {_patterns(suffixes)}"
    return kept


def _patterns(suffixes: Sequence[str]) -> str:
    return ", ".join(f"*{suffix}" for suffix in suffixes)


def _is_hidden(path: Path, root: Path) -> bool:
    """Whether any name below the root begins with a dot, or is `__MACOSX`, which macOS adds to archives."""
    return any(name.startswith(".") or name == "__MACOSX" for name in path.relative_to(root).parts)


def _walk(root: Path, log: ReaderLog, *, deep: bool = True) -> list[Path]:
    """All files below a folder, in a fixed order. Links are followed, and no folder is visited twice."""
    found: list[Path] = []
    links: list[Path] = []
    folders, seen = [root], set[tuple[int, int]]()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)  # links last, so that files keep their real paths
        identity = (status := folder.stat()).st_dev, status.st_ino
        if identity in seen:
            log.passed_over[folder] = "a link to a folder that is read already"
            continue
        seen.add(identity)
        for path in sorted(_entries(folder)):
            if _is_hidden(path, root):
                log.passed_over[path] = "hidden"
            elif path.is_file():
                found.append(path)
            elif not path.is_dir():
                log.passed_over[path] = "neither a file nor a folder, or a link to nothing"
            elif deep:
                (links if path.is_symlink() else folders).append(path)
            else:
                log.passed_over[path] = "a folder below TOPIC/LANGUAGE"
    return sorted(found)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from None
