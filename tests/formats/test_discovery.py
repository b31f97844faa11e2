from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.base.errors import DataError, UsageError
from ner_head.formats import FORMATS
from ner_head.formats.discovery import (
    NOT_NAMED,
    OTHER_LANGUAGE,
    files_in,
    files_under,
    named_files,
    require_texts,
    topic_folders,
)
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from tests.corpus.strategies import write

SUFFIXES = (".conll", ".txt")


def named(source: Path, options: ReaderOptions, log: ReaderLog | None = None) -> list[tuple[str, str]]:
    return [(file.topic, file.language) for file in named_files(source, SUFFIXES, options, log or ReaderLog())]


def wanting(*names: str, languages: tuple[str, ...] = ()) -> ReaderOptions:
    return ReaderOptions(languages, frozenset(names))


def test_folders_are_topics_and_languages_in_a_fixed_order(tmp_path: Path) -> None:
    write(tmp_path, {"b/pl/1": "", "a/ru/1": "", "a/cs/1": "", "a/note.txt": "", "a/.git/1": "", "__MACOSX/cs/1": ""})
    log = ReaderLog()
    assert [(topic, language) for topic, language, _ in topic_folders(tmp_path, ReaderOptions(), log)] == [
        ("a", "cs"),
        ("a", "ru"),
        ("b", "pl"),
    ]
    assert log.passed_over == {
        tmp_path / "__MACOSX": "hidden",
        tmp_path / "a/.git": "hidden",
        tmp_path / "a/note.txt": "not in a folder TOPIC/LANGUAGE",
    }


def test_folders_that_are_not_wanted_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"b/pl/1": "", "a/ru/1": "", "c/pl/1": ""})
    log = ReaderLog()
    options = ReaderOptions(("pl",), frozenset({"a", "b/pl/1"}))
    assert [(topic, language) for topic, language, _ in topic_folders(tmp_path, options, log)] == [("b", "pl")]
    assert log.passed_over == {tmp_path / "a/ru": OTHER_LANGUAGE, tmp_path / "c/pl": NOT_NAMED}
    assert log.topics == {"a", "b", "c"}


@pytest.mark.parametrize("name", ["bsnlp2019", "slavicner"])
def test_a_folder_without_topics_asks_whether_it_is_the_right_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"raw: no folders TOPIC/LANGUAGE in it; is the source of the corpus right\?"):
        list(FORMATS[name].read(tmp_path, ReaderOptions(), ReaderLog()))


def test_annotations_need_texts_only_where_they_are_wanted(tmp_path: Path) -> None:
    write(tmp_path, {"raw/a/cs/1": "", "ner/a/cs/1": "", "ner/b/cs/1": ""})
    log = ReaderLog()
    require_texts(tmp_path / "raw", tmp_path / "ner", wanting("a"), log)
    assert list(log.passed_over) == [tmp_path / "ner/b/cs"]
    with pytest.raises(DataError, match=r"ner/b/cs: annotations without texts; expected .*raw/b/cs"):
        require_texts(tmp_path / "raw", tmp_path / "ner", wanting("b"), log)


def test_suffixes_count_in_capitals_too_and_other_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"b.CONLL": "", "a/c.txt": "", "d.md": "", "._b.conll": "", ".git/x.txt": "", "__MACOSX/b.txt": ""})
    log = ReaderLog()
    assert files_under(tmp_path, SUFFIXES, log) == [tmp_path / "a/c.txt", tmp_path / "b.CONLL"]
    assert log.passed_over == {
        tmp_path / "d.md": "its suffix is none of *.conll, *.txt",
        tmp_path / "._b.conll": "hidden",
        tmp_path / ".git": "hidden",
        tmp_path / "__MACOSX": "hidden",
    }
    assert files_in(tmp_path, SUFFIXES, log) == [tmp_path / "b.CONLL"]
    assert log.passed_over[tmp_path / "a"] == "a folder below TOPIC/LANGUAGE"
    assert files_in(tmp_path / "nowhere", SUFFIXES, ReaderLog()) == []
    assert files_under(tmp_path / "d.md", SUFFIXES, ReaderLog()) == [tmp_path / "d.md"]
    with pytest.raises(DataError, match=r"no files \*\.jsonl in it"):
        files_under(tmp_path, [".jsonl"], ReaderLog())


def test_links_to_folders_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/x.txt": "", "corpus/real/y.txt": ""})
    corpus = tmp_path / "corpus"
    (corpus / "link").symlink_to("../elsewhere")
    (corpus / "again").symlink_to("real")
    (corpus / "real/up").symlink_to("..")
    (corpus / "broken.txt").symlink_to("nowhere")
    log = ReaderLog()
    assert files_under(corpus, SUFFIXES, log) == [corpus / "link/x.txt", corpus / "real/y.txt"]
    assert log.passed_over == {
        corpus / "again": "a link to a folder that is read already",
        corpus / "real/up": "a link to a folder that is read already",
        corpus / "broken.txt": "neither a file nor a folder, or a link to nothing",
    }


def test_a_file_is_taken_if_a_split_names_its_stem_or_else_its_whole_name(tmp_path: Path) -> None:
    write(tmp_path, {"train.TXT": "", "eng.testa": "", "dev": "", "README.txt": "", "README": ""})
    log = ReaderLog()
    assert named(tmp_path, wanting("train", "eng.testa", "dev/und/3"), log) == [
        ("dev", "und"),
        ("eng.testa", "und"),
        ("train", "und"),
    ]
    assert log.passed_over == {tmp_path / "README": NOT_NAMED, tmp_path / "README.txt": NOT_NAMED}
    assert log.topics == {"dev", "eng.testa", "train", "README"}


def test_without_names_only_our_suffixes_are_taken(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "", "LICENSE": ""})
    log = ReaderLog()
    assert named(tmp_path, ReaderOptions(), log) == [("a", "und")]
    assert list(log.passed_over) == [tmp_path / "LICENSE"]


def test_the_language_is_the_nearest_folder_that_is_called_like_one(tmp_path: Path) -> None:
    write(tmp_path, {"en/a.txt": "", "de/ner/b.txt": "", "raw/c.txt": "", "HAU/d.txt": "", "czech/e.txt": ""})
    assert named(tmp_path, ReaderOptions()) == [("d", "hau"), ("e", "und"), ("b", "de"), ("a", "en"), ("c", "und")]
    assert ("e", "czech") in named(tmp_path, ReaderOptions(("czech",)))
    assert named(tmp_path / "en", ReaderOptions()) == [("a", "und")]
    assert named(tmp_path / "en", ReaderOptions(("en",))) == [("a", "en")]


def test_three_letters_are_a_language_beside_another_one(tmp_path: Path) -> None:
    write(tmp_path, {"luo/a.txt": "", "pcm/b.txt": ""})
    assert named(tmp_path, ReaderOptions()) == [("a", "und"), ("b", "und")]
    assert named(write(tmp_path, {"yo/c.txt": ""}), ReaderOptions()) == [("a", "luo"), ("b", "pcm"), ("c", "yo")]


def test_files_of_other_languages_are_passed_over_and_missing_languages_told(tmp_path: Path) -> None:
    write(tmp_path, {"cs/train.txt": "", "de/train.txt": "", "train.txt": ""})
    log = ReaderLog()
    assert named(tmp_path, wanting("train", languages=("cs", "pl")), log) == [("train", "cs"), ("train", "und")]
    assert log.passed_over == {tmp_path / "de/train.txt": OTHER_LANGUAGE}
    assert log.notices == [f"{tmp_path}: no file in a folder called pl; 1 files are in no folder of a language (und)"]
    write(tmp_path, {"other/de/train.txt": ""})
    with pytest.raises(UsageError, match=r"prepare\.languages: no pl in .*; its folders say de"):
        named(tmp_path / "other", wanting("train", languages=("pl",)))


def test_two_files_of_one_topic_and_language_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"part1/train.txt": "", "part2/train.txt": ""})
    with pytest.raises(
        DataError, match=r"part1/train\.txt and .*part2/train\.txt have one topic, 'train', .*prepare\.lang"
    ):
        named(tmp_path, wanting("train"))
    assert named(tmp_path, wanting("train", languages=("part1", "part2"))) == [("train", "part1"), ("train", "part2")]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no files \*\.conll, \*\.txt in it"):
        named(tmp_path, ReaderOptions())


def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    write(tmp_path, {"cs/train.txt": ""})
    assert named(tmp_path / "cs/train.txt", wanting("train")) == [("train", "und")]
