from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ner_head
from ner_head.base.errors import DataError, ResourceError
from ner_head.corpus.documents import Document, sentence_id
from ner_head.corpus.segment import segment
from ner_head.features.extraction import extract as extraction
from ner_head.features.extraction.encode import encode_shard
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.plans import ShardPlan, plan_shards
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.words import words_of
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from ner_head.inference.predictions import features_of
from tests.conftest import encode_documents
from tests.features.documents import many


def run(documents: list[Document], encoder: Encoder, folder: Path, **changes: object) -> FeatureStore:
    options = {"shard_words": 10, "batch_pieces": 256, "output": folder / "store", **changes}
    extract(documents, encoder, encoder_name="tiny", pool=Pool(folder / "pool"), **options)
    return FeatureStore.open(folder / "store")


def test_every_sentence_is_found_and_equals_a_fresh_encoding(
    store: FeatureStore, documents: list[Document], encoder: Encoder
) -> None:
    names = [sentence_id(d.key, i) for d in documents for i in range(len(d.sentences))]
    assert list(store) == names
    assert len(store) == 12
    for document in documents:
        for i, fresh in enumerate(encode_documents([document], encoder, batch_pieces=64)):
            cached = store[sentence_id(document.key, i)]
            assert cached.piece_ids.tolist() == fresh.piece_ids.tolist()
            np.testing.assert_allclose(cached.hidden, fresh.hidden, atol=4e-3)
            assert store.n_pieces(sentence_id(document.key, i)) == len(fresh.piece_ids)


def test_a_store_is_opened_by_the_name_of_its_folder_and_read_by_number(store: FeatureStore) -> None:
    opened = ner_head.FeatureStore.open(str(store.directory))
    names = list(store)
    assert [opened.name(number) for number in range(len(store))] == names
    assert opened[0].piece_ids.tolist() == opened[names[0]].piece_ids.tolist()
    assert opened[-1].piece_ids.tolist() == opened[names[-1]].piece_ids.tolist()
    for number in (len(store), -len(store) - 1):
        with pytest.raises(IndexError, match=f"sentence {number} of a store with 12"):
            opened[number]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("news/cs/cs-1#9", "the sentences of this document are news/cs/cs-1#0 to news/cs/cs-1#1"),
        ("cs-2#0", "ids are TOPIC/LANGUAGE/ID#N, such as news/cs/cs-2#0"),
        ("news/pl/pl_1#0", "such as news/pl/pl-1#0"),
        ("", "such as news/cs/cs-1#0, news/cs/cs-2#0, news/pl/pl-1#0"),
    ],
)
def test_a_wrong_id_is_answered_with_similar_ones(store: FeatureStore, name: str, hint: str) -> None:
    with pytest.raises(KeyError, match=hint):
        store[name]


def test_a_second_run_computes_nothing_and_gives_the_same_bytes(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(documents, encoder, tmp_path).manifest
    monkeypatch.setattr(extraction, "start_shard", lambda *_, **__: pytest.fail("the encoder ran"))
    shutil.rmtree(tmp_path / "store")
    assert run(documents, encoder, tmp_path).manifest == first


def test_an_interrupted_run_goes_on_where_it_was(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = many(40)
    whole = run(documents, encoder, tmp_path / "whole").manifest
    real, calls = extraction.start_shard, []

    def fails_fourth(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(extraction, "start_shard", fails_fourth)
    with pytest.raises(KeyboardInterrupt):
        run(documents, encoder, tmp_path)
    kept = len(list((tmp_path / "pool").iterdir()))
    assert kept in (2, 3)  # the third was begun, and may be finished or not
    assert run(documents, encoder, tmp_path).manifest == whole
    assert len(calls) - 4 == len({shard.key for shard in whole.shards}) - kept


def test_another_encoder_and_back_computes_nothing_the_second_time(
    documents: list[Document],
    encoder: Encoder,
    tiny_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Encoder(tiny_encoder, device=torch.device("cpu"), spec=EncoderSpec(dtype="int8"))
    first, second = run(documents, encoder, tmp_path).manifest, run(documents, other, tmp_path).manifest
    assert not {shard.key for shard in first.shards} & {shard.key for shard in second.shards}
    monkeypatch.setattr(extraction, "start_shard", lambda *_, **__: pytest.fail("the encoder ran"))
    assert run(documents, encoder, tmp_path).manifest == first
    assert run(documents, other, tmp_path).manifest == second


def test_a_damaged_shard_in_the_pool_is_computed_again(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    first = run(documents, encoder, tmp_path).manifest
    victim = next((tmp_path / "pool").iterdir())
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.unlink()
    victim.write_bytes(content)
    assert run(documents, encoder, tmp_path).manifest == first
    assert len(run(documents, encoder, tmp_path)[sentence_id(documents[0].key, 0)].hidden) > 0


@pytest.mark.parametrize("change", ["add", "edit", "remove"])
def test_a_change_of_one_document_changes_at_most_two_shards(change: str) -> None:
    documents = many(400)
    before = plan_shards(documents, shard_words=70, fingerprint="f")
    assert len(before) >= 20
    for place in range(0, 400, 37):
        changed = list(documents)
        if change == "add":
            changed.insert(place, replace(many(500)[450], id="new"))
        elif change == "edit":
            changed[place] = replace(many(600)[550], id=documents[place].id)
        else:
            del changed[place]
        after = plan_shards(changed, shard_words=70, fingerprint="f")
        assert len({p.key for p in after} - {p.key for p in before}) <= 2


def test_a_shard_key_depends_on_words_and_encoder_alone() -> None:
    documents = many(3)
    (plan,) = plan_shards(documents, shard_words=10**9, fingerprint="f")
    renamed = [replace(d, id=d.id + "x", topic="other", spans=()) for d in documents]
    assert plan_shards(renamed, shard_words=10**9, fingerprint="f")[0].key == plan.key
    assert plan_shards(documents, shard_words=10**9, fingerprint="g")[0].key != plan.key
    assert plan_shards(documents[::-1], shard_words=10**9, fingerprint="f")[0].key != plan.key


def lengths(plans: Sequence[ShardPlan]) -> list[int]:
    return [sum(len(sentence) for document in plan.words for sentence in document) for plan in plans]


@given(st.lists(st.integers(1, 60), max_size=30), st.integers(5, 40))
def test_a_shard_has_at_most_twice_the_words_wanted_whatever_the_documents(sizes: list[int], shard_words: int) -> None:
    texts = ["slovo jde. Ano. " * size for size in sizes]
    documents = [Document(f"d{i}", text, "cs", "t", segment(text, "cs")) for i, text in enumerate(texts)]
    plans = plan_shards(documents, shard_words=shard_words, fingerprint="f")
    assert max(lengths(plans), default=0) <= 2 * shard_words
    assert sum(lengths(plans)) == sum(len(sentence.words) for d in documents for sentence in d.sentences)
    parts = [(name, words) for plan in plans for name, words in zip(plan.names, plan.words, strict=True)]
    for document in documents:  # its sentences in order, in parts that follow one another
        (whole,) = words_of([document], spaces=False)
        found = [place for place, (name, _) in enumerate(parts) if name == document.key]
        assert found == list(range(found[0], found[-1] + 1))
        assert tuple(sentence for place in found for sentence in parts[place][1]) == whole


def test_a_change_in_a_long_document_changes_at_most_two_shards() -> None:
    sentences = [f"Text číslo {i} je tady." for i in range(400)]

    def planned(lines: list[str]) -> set[str]:
        text = "\n".join(lines)
        plans = plan_shards([Document("d", text, "cs", "t", segment(text, "cs"))], shard_words=70, fingerprint="f")
        assert len(plans) >= 20
        return {plan.key for plan in plans}

    before = planned(sentences)
    for place in range(0, 400, 37):
        assert len(planned([*sentences[:place], "Zcela jiný text.", *sentences[place + 1 :]]) - before) <= 2


def test_a_document_in_several_shards_is_found_whole(encoder: Encoder, tmp_path: Path) -> None:
    text = " ".join(f"Text číslo {i} je tady." for i in range(30))
    documents = [*many(3), Document("long", text, "cs", "t", segment(text, "cs")), many(4)[3]]
    store = run(documents, encoder, tmp_path, shard_words=20)
    assert sum(rows.key == "t/cs/long" for shard in store.manifest.shards for rows in shard.documents) > 3
    assert list(store) == [sentence_id(d.key, i) for d in documents for i in range(len(d.sentences))]
    assert len(store) == sum(len(d.sentences) for d in documents)
    for document in documents:
        found = features_of(store, document)
        for cached, fresh in zip(found, encode_documents([document], encoder, batch_pieces=64), strict=True):
            assert cached.piece_ids.tolist() == fresh.piece_ids.tolist()
    assert sentence_id("t/cs/long", len(documents[3].sentences)) not in store


def test_documents_without_sentences_take_no_place() -> None:
    assert plan_shards([Document("empty", "")], shard_words=5, fingerprint="f") == []


def test_too_small_a_disk_is_refused_before_anything_runs(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(ResourceError, match=r"the features need 0\.0 GB, 0\.0 GB are free"):
        run(documents, encoder, tmp_path)
    assert not (tmp_path / "pool").exists()


def test_shards_are_copied_where_links_are_not_possible(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = run(documents, encoder, tmp_path)
    assert len(store[sentence_id(documents[0].key, 0)].piece_ids) > 1


def test_a_store_without_or_with_a_broken_manifest_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.json: No such file"):
        FeatureStore.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"version": 1}')
    with pytest.raises(DataError, match="not a feature manifest: Field required"):
        FeatureStore.open(tmp_path)


def test_a_manifest_that_disagrees_with_its_shard_is_refused(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    run(documents, encoder, tmp_path)
    path = tmp_path / "store" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["shards"][0]["documents"][0]["n_sentences"] += 1
    path.write_text(json.dumps(manifest))
    store = FeatureStore.open(tmp_path / "store")
    with pytest.raises(DataError, match="is not what the manifest says"):
        store[sentence_id(documents[0].key, 0)]


def test_foreign_shards_are_refused(documents: list[Document], encoder: Encoder, tmp_path: Path) -> None:
    run(documents, encoder, tmp_path)
    path = tmp_path / "store" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["encoder"]["fingerprint"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="but the manifest names 000000000000"):
        FeatureStore.open(tmp_path / "store")[sentence_id(documents[0].key, 0)]


def test_the_number_of_threads_changes_no_byte(encoder: Encoder) -> None:
    plans = plan_shards(many(200), shard_words=20, fingerprint=encoder.fingerprint.digest())
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append([encode_shard(plan.words, encoder, key=plan.key, batch_pieces=64) for plan in plans])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(("foreign", "told"), [(1, False), (8, True)])
def test_a_corpus_that_the_tokenizer_does_not_know_is_told(
    encoder: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str], foreign: int, told: bool
) -> None:
    text = " ".join(["Praha"] * (100 - foreign) + ["ქართ"] * foreign)
    whole = Document("d", text, sentences=segment(text, "cs"))
    extract(
        [whole],
        encoder,
        encoder_name="x",
        shard_words=500,
        batch_pieces=256,
        pool=Pool(tmp_path / "pool"),
        output=tmp_path,
    )
    shown = capsys.readouterr().err
    assert ("8 of 100 words (8%) hold characters that the encoder does not know, such as ქართ" in shown) == told
