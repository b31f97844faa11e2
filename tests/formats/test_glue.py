from __future__ import annotations

from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from ner_head.formats import FORMATS
from ner_head.formats.glue import has_compounds, join, spaces_before
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("bg", 'Сподели, "24 часа", каза той: „Да“ (вчера).'),
        ("cs", "Řekl: „Ano, 5 % (asi)“ a odešel…"),
        ("de", "Er sagte: „Nein!“"),
        ("en", "\"I can't,\" she said (twice); 5% of Jana's [time]?"),
        ("es", "¿Qué? ¡No!"),
        ("fr", "Il dit : « Non ! » l'homme"),
        ("pl", "„Tak”, rzekł - i wyszedł."),
        ("ru", "Он сказал: «Да», и ушёл. 5 %"),
        ("sv", "”Nej”, sade han."),
        ("zh", "浙江人好。他说, 好"),
        ("und", "a/b (c) \"d\" 'e' f."),
    ],
)
def test_words_are_joined_as_one_writes_them(language: str, text: str) -> None:
    pattern = r"[\p{Han}]|n't|'s|l'(?=\p{L})|\w+(?:(?!n't)\w)*|\S"
    words = regex.findall(pattern, text.replace("can't", "ca n't"))
    joined, starts = join(words, spaces_before(words, language, hyphens_apart=False))
    assert joined == text
    assert [joined[start : start + len(word)] for start, word in zip(starts, words, strict=True)] == words


def test_a_hyphen_by_itself_is_a_dash_where_compounds_are_words() -> None:
    words = ["Jean", "-", "Pierre"]
    assert spaces_before(words, "bg", hyphens_apart=True) == [False, False, False]
    assert spaces_before(words, "bg", hyphens_apart=False) == [False, True, True]
    assert has_compounds(["a", "Jean-Pierre"])
    assert not has_compounds(["a", "-", "5-6"])


@given(
    st.lists(st.sampled_from([*"\"'“”„«»()[],.;:!?-/%", "a", "b-c", "ž", "..."]), min_size=1), st.sampled_from("bcefu")
)
def test_offsets_slice_back_to_the_words(words: list[str], language: str) -> None:
    spaces = spaces_before(
        words, {"b": "bg", "c": "cs", "e": "en", "f": "fr", "u": "und"}[language], hyphens_apart=True
    )
    joined, starts = join(words, spaces)
    assert spaces[0] is False
    assert [joined[start : start + len(word)] for start, word in zip(starts, words, strict=True)] == words
    assert joined.replace(" ", "") == "".join(words)


def read(path: Path, options: ReaderOptions, how: str) -> str:
    ((document, _),) = FORMATS[how].read(path, options, ReaderLog())
    for sentence in document.sentences:
        assert all(document.text[word.start : word.end] == word.text for word in sentence.words)
    return document.text


def test_files_of_words_are_joined_unless_the_param_says_no(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("Jana B-PER\n, O\n( O\nano O\n) O\n\nNe O\n! O\n", encoding="utf-8")
    assert read(tmp_path, ReaderOptions(), "conll") == "Jana, (ano)\nNe!"
    assert read(tmp_path, ReaderOptions(glue=False), "conll") == "Jana , ( ano )\nNe !"
    (tmp_path / "train.jsonl").write_text('{"tokens": ["Jana", "!"], "ner_tags": ["B-PER", "O"]}\n', encoding="utf-8")
    assert read(tmp_path, ReaderOptions(), "jsonl") == "Jana!"
    assert read(tmp_path, ReaderOptions(glue=False), "jsonl") == "Jana !"


def test_what_conll_u_says_of_spaces_is_taken(tmp_path: Path) -> None:
    rows = ["1\tfoto\tB-PER\tSpaceAfter=No", "2\t-\tO\tGender=X|SpaceAfter=No", "3\taparat\tO\t_", "4\t,\tO\t_"]
    (tmp_path / "train.conllu").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert read(tmp_path, ReaderOptions(word_column=2, tag_column=3), "conll") == "foto-aparat ,"
