"""Edits of words, lookup and rules."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.lemmas.forms import SAME, Edit, aligned, edit_between, join, split
from ner_head.lemmas.lexicon import ANY, LEAST, LemmaExample, Lexicon

words = st.text(alphabet="abcčžАбвЁ", min_size=1, max_size=8)


@given(words, words)
def test_an_edit_gives_the_lemma_that_it_was_made_from(word: str, lemma: str) -> None:
    edit = edit_between(word, lemma)
    assert edit.apply(word).lower() == lemma.lower()
    assert edit == SAME or edit.cut[:1] != edit.add[:1]


@given(st.text(max_size=30))
def test_the_parts_of_a_form_join_to_it(form: str) -> None:
    parts = split(form)
    assert join(parts, parts[::2]) == form


def test_a_word_in_capitals_gets_an_ending_in_capitals() -> None:
    assert Edit("y", "a").apply("PRAHY") == "PRAHA"
    assert Edit("y", "a").apply("Prahy") == "Praha"


def test_words_are_aligned_across_spaces_and_hyphens_or_not_at_all() -> None:
    assert aligned("Jeanem-Claudem Junckerem", "Jean-Claude Juncker") == [
        ("Jeanem", "Jean"),
        ("Claudem", "Claude"),
        ("Junckerem", "Juncker"),
    ]
    assert aligned("EU", "Evropská unie") == []


EXAMPLES = [
    *[LemmaExample("cs", "LOC", form, lemma) for form, lemma in (("Prahy", "Praha"), ("Jihlavy", "Jihlava"))],
    LemmaExample("cs", "LOC", "Ostravy", "Ostrava"),
    LemmaExample("cs", "PER", "Nové", "Nová"),
    LemmaExample("cs", "PER", "Nové", "Nový"),
    LemmaExample("cs", "PER", "Nové", "Nový"),
]


def test_a_known_form_has_its_most_frequent_lemma_and_a_new_one_follows_the_rule_of_its_ending() -> None:
    lexicon = Lexicon.learn(EXAMPLES)
    assert lexicon.find("cs", "PER", "NOVÉ") == "Nový"
    assert lexicon.find("cs", "LOC", "Nové") is None
    assert lexicon.by_rules("cs", "LOC", "Opavy") == "Opava"
    assert lexicon.by_rules("pl", "LOC", "Opavy") == "Opavy"


def test_rules_are_those_of_a_plain_count() -> None:
    lexicon = Lexicon.learn(EXAMPLES)
    for (language, label, ending), edit in lexicon.rules.items():
        seen = Counter(
            edit_between(e.form, e.lemma)
            for e in set(EXAMPLES)
            if e.language == language and label in (e.label, ANY) and e.form.lower().endswith(ending)
        )
        assert seen.total() >= LEAST
        assert seen[edit] == max(seen.values())
    assert lexicon.rules["cs", ANY, "y"] == Edit("y", "a")


def test_a_lexicon_is_saved_and_read(tmp_path: Path) -> None:
    lexicon = Lexicon.learn(EXAMPLES)
    lexicon.save(tmp_path / "lexicon.json")
    assert Lexicon.load(tmp_path / "lexicon.json") == lexicon
    (tmp_path / "lexicon.json").write_text('{"lemmas": [["cs"]]}', encoding="utf-8")
    with pytest.raises(DataError, match=r"lexicon\.json: not a lexicon: .*dvc repro lemmatize"):
        Lexicon.load(tmp_path / "lexicon.json")
