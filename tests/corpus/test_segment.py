from __future__ import annotations

import gc
import time
from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.segmentation import BAR_CUT, BAR_MISALIGNED, Figures
from ner_head.corpus.segment import MAX_WORDS, cut, segment, words
from ner_head.formats import slavicner
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from tests.corpus.strategies import LANGUAGES, texts


def sentences(text: str, language: str) -> list[str]:
    return [text[sentence.start : sentence.end] for sentence in segment(text, language)]


def forms(text: str) -> list[str]:
    return [word.text for word in words(text)]


@given(texts, st.sampled_from(LANGUAGES))
def test_every_character_but_white_space_is_in_exactly_one_word(text: str, language: str) -> None:
    found = list(chain.from_iterable(sentence.words for sentence in segment(text, language)))
    assert all(text[word.start : word.end] == word.text for word in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    covered = set(chain.from_iterable(range(word.start, word.end) for word in found))
    assert {i for i, character in enumerate(text) if not character.isspace()} == covered


@given(texts, st.sampled_from(LANGUAGES))
def test_no_sentence_is_empty_or_crosses_a_blank_line(text: str, language: str) -> None:
    for sentence in sentences(text, language):
        assert sentence
        assert "\n\n" not in sentence


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("cs", "Premiérka T. Mayová odjela. Vrátí se 7. února.", 2),
        ("cs", "Bylo jich 52. V pondělí přišli další.", 2),
        ("cs", "Platí od 19. 6. 2016 v Praze. Potom ne.", 2),
        ("cs", "Skončí v roce 2020. Británie odejde. Tzv. tvrdý brexit ne.", 3),
        ("cs", "Firma Kofola a.s. Krnov i tzv. Bílý dům.", 1),
        ("pl", "Wlk. Brytania i W. Brytania oraz ks. Piotr Skarga. Minister ds. Brexitu.", 2),
        ("pl", "Sprawa ciągnie się od dawna, bo od 2009 r. Teraz jest 2018.", 2),
        ("pl", "W 2009 r. Asia Bibi trafiła do więzienia.", 1),
        ("pl", "W latach 90. XX w. Polska się zmieniła.", 1),
        ("pl", "Straci 2 proc. PKB, m.in. Francja.", 1),
        ("ru", "Он живёт на ул. Ленина в г. Москва. К т. н. Красной зоне не подойти.", 2),
        ("ru", "Т.е. Мэй уйдёт, и т.д. и т.п. А потом?", 1),
        ("ru", "Это было в самом конце 2018 г. 27 стран согласились.", 1),
        ("ru", "Подробности на сайте iz.ru. Письменный отказ.", 2),
        ("bg", "На 29 март 2019 г. Великобритания напуска ЕС.", 1),
        ("bg", "Това се случи на 29 март миналата година, 2019 г. Великобритания напусна.", 2),
        ("bg", "Лидерът отслаби позициите й. Британският премиер замина.", 2),
        ("bg", "Такава е т.нар. Твърда граница и чл. 50.", 1),
        ("de", "Dr. Müller kam z.B. Montag. Dann ging er.", 2),
        ("und", "Mr. Smith met Mrs. May. They left.", 2),
        ("zh", "他走了。她来了！好", 3),
        ("hi", "वह गया। वह आई।", 2),
    ],
)
def test_abbreviations_initials_and_ordinals_end_no_sentence(language: str, text: str, count: int) -> None:
    assert len(sentences(text, language)) == count, sentences(text, language)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('„Odejdeme.“ Potom mlčel. "Ano!" A odešel.', ["„Odejdeme.“", "Potom mlčel.", '"Ano!"', "A odešel."]),
        ("„Odejdeme!“ řekl. Pak... nic. A pak… Konec.", ["„Odejdeme!“ řekl.", "Pak... nic.", "A pak…", "Konec."]),
        ("Kdo? – ptal se. – Nikdo.", ["Kdo? – ptal se.", "– Nikdo."]),
        ("Nejlepší je itd.“ Potom odešel.", ["Nejlepší je itd.“", "Potom odešel."]),
        ("Odešel (viz níže.) Potom přišel.", ["Odešel (viz níže.)", "Potom přišel."]),
        ("Je to (angl. Brexit, resp.) Konec.", ["Je to (angl. Brexit, resp.) Konec."]),
        ("Proč ?, ptal se. Nic.", ["Proč ?, ptal se.", "Nic."]),
        ("1. První bod. 2. Druhý bod.", ["1. První bod.", "2. Druhý bod."]),
        ("Body jsou: 1. První; 2. Druhý.", ["Body jsou: 1. První; 2. Druhý."]),
        (". Praha hlásí. Konec", [". Praha hlásí.", "Konec"]),
        ("Má jich 52 %. Konec.", ["Má jich 52 %.", "Konec."]),
        ("Řekl „ne“. . Potom", ["Řekl „ne“. .", "Potom"]),
    ],
)
def test_quotation_marks_ellipses_and_lists(text: str, expected: list[str]) -> None:
    assert sentences(text, "cs") == expected


def test_a_forgotten_space_still_ends_a_sentence_but_a_host_name_does_not() -> None:
    assert sentences("Пише прес.Предприехме мерки “тук.“Целта е", "bg") == [
        "Пише прес.",
        "Предприехме мерки “тук.“",
        "Целта е",
    ]
    assert len(sentences("Виж www.AtlasShrugs.com и Booking.Com и т. н.", "bg")) == 1


def test_a_line_break_ends_a_sentence_as_a_paragraph_does() -> None:
    assert sentences("Titulek bez tečky\r\nPrvní věta\n\ndruhý odstavec", "cs") == [
        "Titulek bez tečky",
        "První věta",
        "druhý odstavec",
    ]


def test_hard_wrapped_lines_are_read_as_one_paragraph() -> None:
    wrapped = (
        "Evropská komise oznámila, že jednání s Londýnem budou\n"
        "pokračovat v pondělí. Premiérka Theresa Mayová odmítla\n"
        "návrh komentovat."
    )
    assert len(sentences(wrapped, "cs")) == 2
    assert len(sentences(wrapped.replace("\n", "\r\n"), "cs")) == 2
    two = "Evropská komise oznámila, že jednání s Londýnem budou\npokračovat"
    assert len(sentences(two, "cs")) == 1


def test_lists_titles_and_long_lines_are_not_taken_for_wrapped_text() -> None:
    assert len(sentences("Jablka\nHrušky\nŠvestky", "cs")) == 3
    assert len(sentences("Evropská komise oznámila, že jednání s Londýnem budou\nPokračovat", "cs")) == 2
    assert len(sentences("Evropská komise oznámila, že bude jednat\na\nodejde z tohoto jednání brzy", "cs")) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ЕС27 и G20", ["ЕС", "27", "и", "G", "20"]),
        ("anti-Brexit, UE-Londyn", ["anti", "-", "Brexit", ",", "UE", "-", "Londyn"]),
        ("Barnier'a i O’Connor 'ne'", ["Barnier'a", "i", "O’Connor", "'", "ne", "'"]),
        ("1.200,5 v 10:30... (54%)", ["1.200,5", "v", "10:30", "...", "(", "54", "%", ")"]),
        ("ѝ и\u0300 cafe\u0301s", ["ѝ", "и\u0300", "cafe\u0301s"]),
        ("Citi\u00adbank \u200bМай\u200b", ["Citi\u00adbank", "\u200b", "Май", "\u200b"]),
        ("東京タワー", ["東", "京", "タワー"]),
        ("👩\u200d👧 a 👍🏽", ["👩\u200d👧", "a", "👍", "🏽"]),
        ("\u0301 a", ["\u0301", "a"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert forms(text) == expected


def test_words_of_a_part_have_offsets_into_the_whole() -> None:
    assert [(word.text, word.start, word.end) for word in words("ab cd ef", 3, 5)] == [("cd", 3, 5)]


@pytest.mark.parametrize("unit", ["1. ", "A. ", "г. ", '."', "\u200b", "a\u200b", "ab.Cd ", "a\n", ". - ", "国。"])
def test_time_is_linear_in_the_length_of_one_line(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        found = []
        for _ in range(3):
            start = time.process_time()
            segment(text, "und")
            found.append(time.process_time() - start)
        return min(found)

    gc.disable()  # whose full passes grow with the test session, not with the text
    try:
        assert seconds(80_000) < 24 * max(seconds(10_000), 0.003)  # 8 if linear, 64 if quadratic
    finally:
        gc.enable()


def test_gold_mentions_are_cut_and_misaligned_within_the_bars(corpora: Path) -> None:
    figures = Figures()
    for document, _ in slavicner.read(corpora / "slavicner", ReaderOptions(), ReaderLog()):
        figures.add(document)
    assert figures.mentions == 51_813
    assert figures.cut / figures.mentions <= BAR_CUT / 10
    assert figures.misaligned / figures.mentions <= BAR_MISALIGNED / 2
    assert sum(figures.lengths) / len(figures.lengths) < 22
    assert "51,813" in figures.row("all")


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("a b c d e f g h", [8]),
        ("a b c d e f g h i", [8, 1]),
        ("a b c d , f g h i j", [5, 5]),
        ("a b c , e ; g , i j", [6, 4]),  # a semicolon before a comma
        ("a , c d e f g h i j", [8, 2]),  # a mark in the first half would leave short parts
        ("a b c d … ; g h i j k l m n o p q r", [5, 8, 5]),
    ],
)
def test_a_sentence_of_too_many_words_is_cut_at_its_best_mark(text: str, sizes: list[int]) -> None:
    (sentence,) = segment(text, "cs", max_words=100)
    parts = cut(sentence, 8)
    assert [len(part.words) for part in parts] == sizes
    assert [word for part in parts for word in part.words] == list(sentence.words)


def test_text_without_an_end_has_no_sentence_of_more_than_so_many_words() -> None:
    sentences = segment("slovo " * 40_000, "cs")
    assert max(len(sentence.words) for sentence in sentences) == MAX_WORDS
    assert sum(len(sentence.words) for sentence in sentences) == 40_000
