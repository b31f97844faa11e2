from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.corpus.formats import READERS
from ner_head.corpus.formats.discovery import files_under, topic_folders
from ner_head.corpus.formats.lines import read_text
from ner_head.corpus.formats.reading import Tally, Wanted
from ner_head.errors import DataError
from tests.corpus.strategies import write


def test_line_ends_are_kept(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "a\r\nb\rc\n"})
    assert read_text(tmp_path / "a.txt") == "a\r\nb\rc\n"


def test_another_encoding_is_named_with_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "první\nčeská".encode("cp1250")})
    with pytest.raises(DataError, match=r"a\.txt:1: not UTF-8 \(byte 0xed\); convert the file") as caught:
        read_text(tmp_path / "a.txt")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.txt: No such file or directory"):
        read_text(tmp_path / "no.txt")


def test_folders_are_topics_and_languages_in_a_fixed_order(tmp_path: Path) -> None:
    write(tmp_path, {"b/pl/1": "", "a/ru/1": "", "a/cs/1": "", "a/note.txt": ""})
    assert [(topic, language) for topic, language, _ in topic_folders(tmp_path, Wanted(), Tally())] == [
        ("a", "cs"),
        ("a", "ru"),
        ("b", "pl"),
    ]
    assert [(topic, language) for topic, language, _ in topic_folders(tmp_path, Wanted(("pl",)), Tally())] == [
        ("b", "pl")
    ]


@pytest.mark.parametrize("name", ["bsnlp2019", "slavicner"])
def test_a_folder_without_topics_asks_whether_it_is_the_right_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"raw: no folders TOPIC/LANGUAGE in it; is the source of the corpus right\?"):
        list(READERS[name](tmp_path, Wanted(), Tally()))


def test_files_are_found_at_any_depth_or_given(tmp_path: Path) -> None:
    write(tmp_path, {"b.conll": "", "a/c.tsv": "", "d.md": ""})
    assert files_under(tmp_path, [".conll", ".tsv"], Tally()) == [tmp_path / "a/c.tsv", tmp_path / "b.conll"]
    assert files_under(tmp_path / "d.md", [".conll"], Tally()) == [tmp_path / "d.md"]
    with pytest.raises(DataError, match=r"no files \*\.jsonl in it"):
        files_under(tmp_path, [".jsonl"], Tally())
