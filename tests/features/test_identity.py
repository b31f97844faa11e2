"""What decides a shard's key, and that every code point keeps its place."""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ner_head.corpus.documents import Document
from ner_head.features.extraction import plans
from ner_head.features.extraction.encoder import Encoder, Fingerprint
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.plans import shard_key
from ner_head.features.extraction.pool import Pool
from ner_head.features.store.spec import EncoderSpec

WORDS = ((("Praha", "je"), ("Ano",)), (("Brno",),))
MARK = Fingerprint(weights="w", tokenizer="t", n_layers=3, width=16, limit=24)
CHANGED = {
    "weights": "x",
    "tokenizer": "x",
    "n_layers": 4,
    "width": 17,
    "limit": 25,
}
SETTINGS = {"dtype": "bfloat16", "context": "document", "views": 1, "compute": "bfloat16", "layers": "2-3"}


def test_every_field_of_the_fingerprint_has_its_test() -> None:
    assert {*CHANGED, "spec"} == {field.name for field in fields(Fingerprint)}
    assert set(SETTINGS) == set(EncoderSpec.model_fields)


@pytest.mark.parametrize("name", CHANGED)
def test_a_field_of_the_fingerprint_changes_the_key(name: str) -> None:
    changed = replace(MARK, **{name: CHANGED[name]})
    assert shard_key(WORDS, changed.digest()) != shard_key(WORDS, MARK.digest())


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_the_encoder_changes_the_key(name: str) -> None:
    changed = replace(MARK, spec=EncoderSpec.model_validate({name: SETTINGS[name]}))
    assert shard_key(WORDS, changed.digest()) != shard_key(WORDS, MARK.digest())


@pytest.mark.parametrize("layers", ["1-3", "last-3", "last-9"])
def test_all_layers_by_another_name_are_the_same_features(layers: str) -> None:
    assert replace(MARK, spec=EncoderSpec(layers=layers)).digest() == MARK.digest()


def test_the_digest_of_a_fingerprint_stays_the_same_between_releases() -> None:
    assert MARK.digest() == "66b6b567c6f8bd40d0d0ae1f48ccd6904e60c33fdd4f68672d52a955110fc425"


@pytest.mark.parametrize(
    "words",
    [
        ((("Praha", "je"), ("Ano",)), (("Brna",),)),
        ((("Praha", "je", "Ano"),), (("Brno",),)),
        ((("Praha", "je"),), (("Ano",), ("Brno",))),  # another document: with document context, other features
        ((("Brno",),), (("Praha", "je"), ("Ano",))),
        ((("Pra", "ha", "je"), ("Ano",)), (("Brno",),)),
    ],
)
def test_words_and_where_sentences_and_documents_end_change_the_key(words: plans.DocumentWords) -> None:
    assert shard_key(words, MARK.digest()) != shard_key(WORDS, MARK.digest())


def test_the_format_version_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = shard_key(WORDS, MARK.digest())
    monkeypatch.setattr(plans, "VERSION", plans.VERSION + 1)
    assert shard_key(WORDS, MARK.digest()) != before


def test_settings_of_an_encoder_reach_its_fingerprint(tiny_encoder: Path, encoder: Encoder) -> None:
    for name, value in SETTINGS.items():
        spec = EncoderSpec.model_validate({name: value})
        other = Encoder(tiny_encoder, device=torch.device("cpu"), load=False, spec=spec)
        assert other.fingerprint == replace(encoder.fingerprint, spec=spec)
    meta = Encoder(tiny_encoder, device=torch.device("meta"), load=False)
    assert meta.fingerprint == encoder.fingerprint


def test_where_and_how_it_runs_changes_neither_keys_nor_bytes(
    documents: list[Document], encoder: Encoder, tiny_encoder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tiny_encoder, elsewhere)
    stores = []
    threads = torch.get_num_threads()
    for number, (other, budget, n_threads) in enumerate(
        [(encoder, 256, 1), (encoder, 256, 2), (encoder, 256, 4), (encoder, 64, 1), (None, 256, 1)]
    ):
        torch.set_num_threads(n_threads)
        found = extract(
            documents,
            other or Encoder(elsewhere, device=torch.device("cpu")),
            encoder_name=f"name {number}",
            shard_words=10,
            batch_pieces=budget,
            pool=Pool(tmp_path / str(number) / "pool"),
            output=tmp_path / str(number) / "store",
        )
        stores.append(found.shards)
    torch.set_num_threads(threads)
    first = stores[0]
    assert all([s.key for s in other] == [s.key for s in first] for other in stores)
    assert stores[1] == stores[2] == stores[4] == first  # the batch budget (3) may change a last bit, and says so


def test_a_run_that_finds_half_of_its_shards_gives_the_same_bytes(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    def run(chosen: list[Document], folder: Path) -> list[object]:
        found = extract(
            chosen,
            encoder,
            encoder_name="x",
            shard_words=10,
            batch_pieces=256,
            pool=Pool(folder / "pool"),
            output=folder,
        )
        return list(found.shards)

    whole = run(documents, tmp_path / "whole")
    run(documents[:3], tmp_path / "half")
    assert run(documents, tmp_path / "half") == whole


def test_a_sentence_of_ten_thousand_words_loses_nothing(encoder: Encoder) -> None:
    words = tuple(f"w{i}" for i in range(10_000))
    (pieces,) = encoder.word_pieces.split([words])
    (found,) = encoder.encode([[pieces.ids]], batch_pieces=2048)
    assert found.values.shape == (len(pieces), 3, 16)
    assert np.isfinite(found.values).all()
    assert np.unique(pieces.word_of_piece).tolist() == list(range(-1, 10_000))
    alone = encoder.encode([[pieces.ids[:12]]], batch_pieces=64)[0].values  # [CLS] and 11 pieces, no cut near
    assert found.values.shape[1:] == alone.shape[1:]


def test_every_code_point_as_a_word_has_exactly_one_place(encoder: Encoder) -> None:
    points = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
    assert len(points) == 1_114_112 - 2_048
    size = 4096
    sentences = [
        [word for point in points[i : i + size] for word in (point, "ab")] for i in range(0, len(points), size)
    ]
    neighbour = encoder.word_pieces.split([["ab"]])[0].ids[1:].tolist()
    for words, pieces in zip(sentences, encoder.word_pieces.split(sentences), strict=True):
        steps = np.diff(pieces.word_of_piece)
        assert ((steps == 0) | (steps == 1)).all()  # every word, in order: nothing lost, nothing twice
        assert pieces.word_of_piece[-1] == len(words) - 1
        odd = pieces.word_of_piece % 2 == 1
        odd[0] = False
        assert pieces.ids[odd].tolist() == neighbour * (len(words) // 2)  # the neighbours are what they are alone
        counts = np.bincount(pieces.word_of_piece[1:])[::2]
        assert (counts == 1).all()  # one character is one piece, known or [UNK]
