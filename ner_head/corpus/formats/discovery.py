"""Which files of a folder belong to a corpus. What is passed over is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ner_head.corpus.formats.reading import Tally, Wanted
from ner_head.corpus.languages import normalise
from ner_head.errors import DataError


def topic_folders(root: Path, wanted: Wanted, tally: Tally) -> Iterator[tuple[str, str, Path]]:
    """Topic, language and folder of every root/TOPIC/LANGUAGE that is wanted, in a fixed order.

    Raises:
        DataError: there is none.
    """
    folders = sorted(folder for folder in root.glob("*/*") if folder.is_dir())
    if not folders:
        raise DataError(f"{root}: no folders TOPIC/LANGUAGE in it; is the source of the corpus right?")
    for folder in folders:
        topic, language = folder.parent.name, folder.name
        tally.topics.add(topic)
        tally.languages.add(normalise(language))
        if not wanted.has_language(language):
            tally.passed_over[folder] = "a language that is not in prepare.languages"
        elif not wanted.has_topic(topic):
            tally.passed_over[folder] = "no split names it"
        else:
            yield topic, language, folder


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
