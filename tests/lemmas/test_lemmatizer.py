"""The lemmatizer: what it learns, and that nothing but its input decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment
from ner_head.lemmas.forms import SAME, Edit
from ner_head.lemmas.items import EditTable, Evidence, mention_words
from ner_head.lemmas.lemmatizer import LEXICON, WEIGHTS, Lemmatizer
from ner_head.lemmas.params import LemmaParams
from ner_head.lemmas.training import train_lemmatizer

PARAMS = LemmaParams(buckets=512, width=8, hidden=16, epochs=30, batch_size=8, learning_rate=0.02, dropout=0.0)
STEMS = ("Prah", "Jihlav", "Ostrav", "Opav", "Vltav", "Kyjov", "Trnav", "Nitr", "Moskv", "Varšav")


def document(number: int, text: str, *mentions: tuple[str, str, str | None], language: str = "cs") -> Document:
    """A document with mentions: form, label, lemma."""
    spans = [Span(text.index(f), text.index(f) + len(f), label, lemma=lemma) for f, label, lemma in mentions]
    return Document(str(number), text, language, "t", segment(text, language), tuple(sorted(spans)))


def vectors(documents: Sequence[Document], seed: int = 0) -> list[list[NDArray[np.float16]]]:
    """A vector that says nothing for each word."""
    random = np.random.default_rng(seed)
    return [
        [random.standard_normal((len(d.text[s.start : s.end].split()), 1, 4)).astype(np.float16) for s in d.spans]
        for d in documents
    ]


@pytest.fixture(scope="module")
def train() -> list[Document]:
    return [document(i, f"Jede do {stem}y dnes.", (f"{stem}y", "LOC", f"{stem}a")) for i, stem in enumerate(STEMS)]


@pytest.fixture(scope="module")
def lemmatizer(train: list[Document]) -> Lemmatizer:
    return train_lemmatizer(train, vectors(train), PARAMS)


def lemmas(lemmatizer: Lemmatizer, *documents: Document, together: bool = False) -> list[str | None]:
    found = lemmatizer.lemmatize(documents, vectors(documents), together=together)
    return [span.lemma for each in found for span in each.spans]


def test_the_head_edits_new_words_as_it_has_seen_and_known_ones_are_looked_up(lemmatizer: Lemmatizer) -> None:
    texts = document(0, "Od Litavy do Prahy.", ("Litavy", "LOC", None), ("Prahy", "LOC", None))
    assert lemmas(lemmatizer, texts) == ["Litava", "Praha"]


def test_a_language_that_train_lacks_keeps_its_forms(lemmatizer: Lemmatizer) -> None:
    assert lemmas(lemmatizer, document(0, "Do Prahy.", ("Prahy", "LOC", None), language="sl")) == ["Prahy"]


def test_a_result_does_not_depend_on_the_other_documents_unless_they_are_evidence(lemmatizer: Lemmatizer) -> None:
    one = document(0, "Od Litavy.", ("Litavy", "LOC", None))
    other = document(1, "Litavy, Litavy a Litava.", ("Litavy", "LOC", None))
    assert lemmas(lemmatizer, one, other)[0] == lemmas(lemmatizer, one)[0]
    alone, both = Evidence.of([one, other], together=False), Evidence.of([one, other])
    (item,) = mention_words([one], vectors([one]))
    edits = [SAME, Edit("y", "a")]
    assert alone.of_edits(item, edits)[1].sum() == 0
    assert both.of_edits(item, edits)[1].sum() > 0


def test_training_again_gives_the_same_model_and_it_is_saved_and_read(
    lemmatizer: Lemmatizer, train: list[Document], tmp_path: Path
) -> None:
    train_lemmatizer(train, vectors(train), PARAMS).save(tmp_path / "again")
    lemmatizer.save(tmp_path / "one")
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "again" / WEIGHTS).read_bytes()
    back = Lemmatizer.load(tmp_path / "one")
    texts = document(0, "Od Litavy.", ("Litavy", "LOC", None))
    assert lemmas(back, texts) == lemmas(lemmatizer, texts)
    for name in (LEXICON, WEIGHTS):
        content = (tmp_path / "again" / name).read_bytes()
        (tmp_path / "again" / name).write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        with pytest.raises(DataError, match=rf"{name}: damaged \(SHA-256 .*dvc repro lemmatize"):
            Lemmatizer.load(tmp_path / "again")
        (tmp_path / "again" / name).write_bytes(content)
    with pytest.raises(DataError, match="dvc repro lemmatize"):
        Lemmatizer.load(tmp_path / "absent")


def test_without_a_head_rules_decide_and_without_lemmas_forms_stay(train: list[Document], tmp_path: Path) -> None:
    rules = train_lemmatizer(train, vectors(train), PARAMS.model_copy(update={"epochs": 0}))
    rules.save(tmp_path)
    texts = document(0, "Od Litavy.", ("Litavy", "LOC", None))
    assert lemmas(Lemmatizer.load(tmp_path), texts) == ["Litava"]
    bare = [document(0, "Do Prahy.", ("Prahy", "LOC", None))]
    assert lemmas(train_lemmatizer(bare, vectors(bare), PARAMS), texts) == ["Litavy"]


def test_the_possible_edits_of_a_word_are_those_whose_ending_it_has() -> None:
    edits = {Edit("y", "a"), Edit("ovy", "ova"), Edit("", "a")}
    table = EditTable.learn([("cs", f"{n}{edit.cut}", edit) for edit in edits for n in (1, 2)] + [("pl", "x", SAME)])
    for word in ("Opavy", "Kyjovy", "y", "EU"):
        fitting = {SAME, *(edit for edit in edits if edit.fits(word))}
        assert {table.edits[i] for i in table.possible("cs", word)} == fitting
    assert [table.edits[i] for i in table.possible("pl", "Opavy")] == [SAME]
    assert [table.edits[i] for i in table.possible("sl", "Opavy")] == [SAME]
