"""Lemmas and entities of a `Recognizer`, and in the files of the shared task."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ner_head.base.errors import DataError
from ner_head.bundles.bundle import make_bundle
from ner_head.cards.card import Description
from ner_head.corpus.documents import Document
from ner_head.features.store.mentions import SpanVectors, nearest_layers, span_vectors
from ner_head.features.store.store import FeatureStore
from ner_head.lemmas.params import LemmaParams
from ner_head.lemmas.training import train_lemmatizer
from ner_head.linking.params import LinkParams
from ner_head.linking.training import train_linker
from ner_head.namer import Namer
from ner_head.prediction.writers import bsnlp
from ner_head.recognizer import Recognizer


@pytest.fixture(scope="module")
def named(
    model: Path, store: FeatureStore, documents: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The model, with a lemmatizer and a linker beside it that know the six documents."""
    gold = [
        replace(d, spans=tuple(replace(s, lemma=f"{s.label} lemma", entity=f"{s.label}-1") for s in d.spans))
        for d in documents
    ]
    (layer,) = nearest_layers(store.manifest.encoder.stored_layers, [8])
    folder, encoder = tmp_path_factory.mktemp("models"), store.manifest.encoder.fingerprint
    shutil.copytree(model, folder / "head")
    vectors = SpanVectors(gold, store, [layer])
    train_lemmatizer(gold, vectors, LemmaParams(layer=layer, buckets=64, epochs=1), encoder=encoder).save(
        folder / "lemmas"
    )
    train_linker(gold, vectors, LinkParams(layers=[layer], epochs=1), encoder=encoder).save(folder / "links")
    return folder / "head"


def test_a_recognizer_gives_lemmas_and_entities_and_the_files_of_the_task_have_four_columns(
    named: Path, documents: list[Document]
) -> None:
    found = Recognizer.load(named, device="cpu").recognize_documents(documents)
    assert found == [replace(d, spans=f.spans) for d, f in zip(documents, found, strict=True)]
    spans = [span for document in found for span in document.spans]
    assert spans
    assert {(span.lemma, span.entity) for span in spans} == {(f"{s.label} lemma", f"{s.label}-1") for s in spans}
    rows = [line.split("\t") for line in "".join(bsnlp(found)).splitlines() if "\t" in line]
    assert rows
    assert all(row[1:] == [f"{row[2]} lemma", row[2], f"{row[2]}-1"] for row in rows)
    assert found[0].to_dict()["spans"][0]["lemma"].endswith(" lemma")


def test_a_language_without_lemmas_is_named(named: Path, store: FeatureStore, documents: list[Document]) -> None:
    namer = Namer.of_model(named, store.manifest.encoder.fingerprint)
    assert namer is not None
    document = replace(documents[0], language="sl")
    assert document.spans
    vectors = span_vectors(documents[0], store, namer.layers)
    with pytest.warns(UserWarning, match="not on sl: lemmas there are the forms"):
        found = namer.named(document, vectors)
    assert [s.lemma for s in found.spans] == [" ".join(document.text[s.start : s.end].split()) for s in document.spans]


def test_a_bundle_has_them(named: Path, tiny_encoder: Path, documents: list[Document], tmp_path: Path) -> None:
    make_bundle(named, tmp_path / "out", Description("tiny"), encoder=str(tiny_encoder))
    found = Recognizer.load(tmp_path / "out", device="cpu").recognize_documents(documents)
    assert found == Recognizer.load(named, device="cpu").recognize_documents(documents)
    assert all(span.lemma and span.entity for document in found for span in document.spans)


def test_a_model_without_them_gives_none(model: Path, documents: list[Document]) -> None:
    found = Recognizer.load(model, device="cpu").recognize([documents[0].text])
    assert {(span.lemma, span.entity) for span in found[0].spans} == {(None, None)}


def test_a_lemmatizer_of_another_encoder_is_refused(named: Path, tmp_path: Path) -> None:
    shutil.copytree(named, tmp_path / "head")
    shutil.copytree(named.parent / "lemmas", tmp_path / "head/lemmas")
    path = tmp_path / "head/lemmas/lemmas.json"
    content = path.read_text(encoding="utf-8")
    fingerprint = Recognizer.load(named, device="cpu").encoder.fingerprint.digest()
    path.write_text(content.replace(fingerprint, "0" * 64), encoding="utf-8")
    with pytest.raises(DataError, match=r"lemmas: trained with another encoder .*dvc repro submit"):
        Recognizer.load(tmp_path / "head", device="cpu")


def test_the_vectors_of_a_span_are_the_means_of_the_pieces_of_its_words(
    store: FeatureStore, documents: list[Document]
) -> None:
    document = documents[0]
    layer = store.manifest.encoder.stored_layers[-1]
    features = store[f"{document.key}#0"]
    for span, rows in zip(document.spans, span_vectors(document, store, [layer]), strict=True):
        sentence = document.sentences[0]
        words = [i for i, w in enumerate(sentence.words) if span.start <= w.start and w.end <= span.end]
        if not words:
            continue
        place = features.places(range(layer, layer + 1)).start
        for row, word in zip(rows[:, 0], words, strict=True):
            wanted = features.hidden[features.word_of_piece == word, place].astype("float32").mean(0)
            assert row == pytest.approx(wanted, abs=2e-3, rel=2e-3)
