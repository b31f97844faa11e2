"""The linker: what it learns, what bounds an entity, its files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Span
from ner_head.linking import pairs
from ner_head.linking.linker import MANIFEST, WEIGHTS, Linker
from ner_head.linking.names import directions, language_means, names_of
from ner_head.linking.pairs import candidates
from ner_head.linking.params import LinkParams
from ner_head.linking.spelling import Spelling
from ner_head.linking.training import train_linker

PARAMS = LinkParams(layers=[1], epochs=60, batch_size=64, hidden=8)
PLACES = ("Praha", "Brno", "Opava", "Jihlava", "Ostrava", "Kladno", "Most", "Tábor", "Písek", "Zlín")
CYRILLIC = ("Прага", "Брно", "Опава", "Йиглава", "Острава", "Кладно", "Мост", "Табор", "Писек", "Злин")


def document(
    number: int, language: str, *names: tuple[str, str | None], topic: str = "t", label: str = "LOC"
) -> Document:
    """A document that consists of names with their ids; lemmas are the forms."""
    text, spans = "", []
    for name, entity in names:
        spans.append(Span(len(text), len(text) + len(name), label, lemma=name, entity=entity))
        text += f"{name} "
    return Document(str(number), text, language, topic, spans=tuple(spans))


def vectors(documents: Sequence[Document]) -> list[list[NDArray[np.float16]]]:
    """A vector for each span that is decided by its letters, and says nothing."""
    return [
        [
            np.random.default_rng([*d.text[s.start : s.end].encode()]).standard_normal((1, 1, 6)).astype(np.float16)
            for s in d.spans
        ]
        for d in documents
    ]


@pytest.fixture(scope="module")
def linker() -> Linker:
    train = [
        document(0, "cs", *[(name, f"GPE-{i}") for i, name in enumerate(PLACES)]),
        document(1, "ru", *[(name, f"GPE-{i}") for i, name in enumerate(CYRILLIC)]),
    ]
    return train_linker(train, vectors(train), PARAMS)


def ids(linker: Linker, *documents: Document) -> list[str | None]:
    return [span.entity for each in linker.link(documents, vectors(documents)).documents for span in each.spans]


def test_a_name_of_train_has_its_id_and_a_new_one_the_same_in_all_languages(linker: Linker) -> None:
    cs, ru = document(0, "cs", ("Praha", None), ("Litava", None)), document(1, "ru", ("Прага", None), ("Литава", None))
    assert ids(linker, cs, ru) == ["GPE-0", "LOC-litava"] * 2


def test_topics_and_labels_are_not_joined(linker: Linker) -> None:
    texts = [document(0, "cs", ("Litava", None)), document(1, "cs", ("Litava", None), topic="u")]
    found = linker.link(texts, vectors(texts))
    assert {topic for topic, _ in found.certainties} == {"t", "u"}
    other = document(2, "cs", ("Litava", None), label="ORG")
    assert ids(linker, texts[0], other) == ["LOC-litava", "ORG-litava"]


def test_names_with_frequent_words_are_compared_with_some_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [document(number, "cs", *[(f"Novák {a}{b}o", None) for a in "brst" for b in "aeiou"]) for number in (0, 1)]
    names = list(names_of(texts, vectors(texts), [0, 1]).values())
    rows = directions(names, {})
    spelling = Spelling(word for name in names for word in name.key)
    everything = {tuple(pair) for pair in candidates(names, rows, spelling, neighbours=1).tolist()}
    assert everything == set(combinations(range(20), 2))
    monkeypatch.setattr(pairs, "PER_NAME", 1)
    some = {tuple(pair) for pair in candidates(names, rows, spelling, neighbours=1).tolist()}
    assert some < everything
    assert {name for pair in some for name in pair} == set(range(20))
    assert len(some) <= 20 * (1 + 1 + 4)


def test_certainties_are_probabilities_of_every_id(linker: Linker) -> None:
    texts = [document(0, "cs", ("Litava", None), ("Praha", None)), document(1, "ru", ("Литава", None))]
    found = linker.link(texts, vectors(texts))
    assert set(found.certainties) == {("t", "LOC-litava"), ("t", "GPE-0")}
    assert all(0 <= certainty <= 1 for certainty in found.certainties.values())


def test_a_linker_is_saved_and_read_and_trained_alike_again(linker: Linker, tmp_path: Path) -> None:
    linker.save(tmp_path)
    back = Linker.load(tmp_path)
    text = document(0, "cs", ("Litava", None), ("Litavou", None))
    assert ids(back, text) == ids(linker, text)
    content = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(DataError, match=r"links\.safetensors: damaged \(SHA-256 .*dvc repro link"):
        Linker.load(tmp_path)
    (tmp_path / MANIFEST).write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"links\.json: .*dvc repro link"):
        Linker.load(tmp_path)


def test_settings_of_other_layers_than_the_vectors_are_one_line(linker: Linker, tmp_path: Path) -> None:
    linker.save(tmp_path)
    content = json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8"))
    content["params"]["layers"] = [1, 2, 3]
    (tmp_path / MANIFEST).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=r"damaged: means of other layers than the 3 of links\.json; .*dvc repro link"):
        Linker.load(tmp_path)


def test_without_ids_to_learn_from_names_of_equal_spelling_are_one(tmp_path: Path) -> None:
    bare = [document(0, "cs", ("Praha", None))]
    train_linker(bare, vectors(bare), PARAMS).save(tmp_path)
    cs, ru = document(0, "cs", ("Opava", None), ("Opavou", None)), document(1, "ru", ("Опава", None))
    assert ids(Linker.load(tmp_path), cs, ru) == ["LOC-opava", "LOC-opavou", "LOC-opava"]
    nothing = train_linker([], [], PARAMS)
    assert ids(nothing, ru) == ["LOC-opava"]


def test_directions_have_no_part_of_the_language() -> None:
    texts = [document(0, "cs", *[(name, None) for name in PLACES]), document(1, "ru", *[(n, None) for n in CYRILLIC])]
    shifted = [[v + 9 * np.eye(6, dtype=np.float16)[i] for v in rows] for i, rows in enumerate(vectors(texts))]
    names = list(names_of(texts, shifted, [0, 1]).values())
    means = language_means(names)
    rows = directions(names, means)
    assert np.linalg.norm(rows, axis=-1) == pytest.approx(1, abs=1e-5)
    assert abs(float(np.mean(rows[:10] @ rows[10:, 0].T))) < 0.3
