"""The Python API."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path

import pytest
import torch

import ner_head
from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import Document, Span
from ner_head.features.store.store import FeatureStore
from ner_head.inference.predictions import predict_from_store
from ner_head.inference.saved_model import SavedModel
from ner_head.inference.tagger import Tagger
from ner_head.prediction.groups import LARGEST
from ner_head.recognizer import Recognizer
from tests.conftest import LANGUAGES
from tests.features.extraction.test_processes import in_a_fork


def test_raw_text_gives_what_the_cache_gives(model: Path, store: FeatureStore, documents: list[Document]) -> None:
    recognizer = ner_head.Recognizer.load(model, device="cpu")
    found = recognizer.recognize([d.text for d in documents])
    saved = SavedModel.load(model, device=torch.device("cpu"))
    tagger = Tagger(saved.head, saved.manifest.tag_set, torch.device("cpu"))
    cached = predict_from_store(tagger, documents, store, LANGUAGES)
    assert [d.spans for d in found] == [p.document.spans for p in cached] == [d.spans for d in documents]
    assert [d.language for d in found] == [d.language for d in documents]


def test_offsets_count_the_characters_of_the_text_as_given(model: Path, documents: list[Document]) -> None:
    text = "\ufeff \r\n\t" + documents[0].text + "\u00a0\u200b \U0001f600"
    (found,) = Recognizer.load(model, device="cpu").recognize([text], language="cs")
    assert found.text == text
    assert "Jana Nováková" in [text[s.start : s.end] for s in found.spans]
    assert found.language == "cs"


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b", "."])
def test_texts_with_nothing_in_them_are_fine(model: Path, text: str) -> None:
    (found,) = Recognizer.load(model, device="cpu").recognize([text])
    assert found.text == text
    assert found.spans == ()


def test_no_texts_give_no_documents(model: Path) -> None:
    assert Recognizer.load(model, device="cpu").recognize([]) == []


def test_another_encoder_or_segmentation_is_refused(model: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    other = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"layer_norm_eps": 1e-12', '"layer_norm_eps": 1e-05'))
    with pytest.raises(
        DataError, match=r"this model was trained on features of .* but the encoder in .* has .*`--encoder FOLDER`"
    ):
        Recognizer.load(model, device="cpu", encoder=str(other))
    changed = tmp_path / "model"
    shutil.copytree(model, changed)
    manifest = json.loads((changed / "manifest.json").read_text())
    (changed / "manifest.json").write_text(json.dumps({**manifest, "segmentation": "old-0"}))
    with pytest.raises(DataError, match="trained with segmentation old-0"):
        Recognizer.load(changed, device="cpu")


def test_the_models_temperatures_are_used(model: Path, tmp_path: Path, documents: list[Document]) -> None:
    warm = tmp_path / "warm"
    shutil.copytree(model, warm)
    manifest = json.loads((warm / "manifest.json").read_text())
    assert manifest["temperatures"] == {"spans": 1.0, "labels": {}, "languages": 1.0}
    (warm / "manifest.json").write_text(json.dumps({**manifest, "temperatures": {"spans": 4.0, "languages": 1.0}}))
    texts = [document.text for document in documents]
    one, other = (Recognizer.load(folder, device="cpu").recognize(texts) for folder in (model, warm))
    assert [document.spans for document in one] == [document.spans for document in other]
    pairs = [
        (a.probability, b.probability)
        for before, after in zip(one, other, strict=True)
        for a, b in zip(before.spans, after.spans, strict=True)
    ]
    assert pairs
    assert all(cold > hot > 0 for cold, hot in pairs)
    with pytest.raises(UsageError, match="the least probability must be between 0 and 1, got 2"):
        Recognizer.load(model, device="cpu").recognize(texts, min_probability=2)


def test_the_api_warns_of_a_language_that_the_model_lacks(model: Path) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    with pytest.warns(UserWarning, match="this model was trained on cs, pl, ru, not on uk"):
        (found,) = recognizer.recognize(["Київ."], language="ukr")
    assert (found.language, found.language_probability) == ("uk", None)
    with pytest.raises(UsageError, match="language 'xx': no code"):
        recognizer.recognize(["Київ."], language="xx")


@pytest.mark.parametrize(
    ("given", "found"), [("ces", "ces"), ("cs", "ces"), ("cs-CZ", "ces"), ("pl", "pl"), ("uk", "uk")]
)
def test_another_code_of_a_language_that_the_model_has_is_that_language(model: Path, given: str, found: str) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    recognizer.languages = ["ces", "pl"]
    assert recognizer.language_code(given) == found


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("Jan spí.", r"texts must be a list of strings, got one string; write recognize\(\[text\]\)"),
        (["Jan", b"Jan"], r"texts\[1\] must be a string, got bytes"),
        ([None], r"texts\[0\] must be a string, got NoneType"),
    ],
)
def test_what_is_no_list_of_texts_is_a_type_error(model: Path, texts: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Recognizer.load(model, device="cpu").recognize(texts)  # type: ignore[arg-type]


def test_half_a_character_is_refused(model: Path) -> None:
    with pytest.raises(UsageError, match=r"document 1: a lone surrogate \(U\+D83D\) at character 4; it is no text"):
        Recognizer.load(model, device="cpu").recognize(["Jan.", "Jan \ud83d"])


def test_a_forked_process_recognizes(model: Path, documents: list[Document]) -> None:
    texts = [document.text for document in documents] * 20
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        recognizer = Recognizer.load(model, device="cpu")
        large = torch.randn(2000, 2000)
        assert (large @ large).isfinite().all()  # OpenMP's threads have worked
        expected = [[list(astuple(span)[:3]) for span in found.spans] for found in recognizer.recognize(texts)]
        found = in_a_fork(
            lambda: [[list(astuple(span)[:3]) for span in found.spans] for found in recognizer.recognize(texts)]
        )
        assert found == expected
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def spans_of(recognizer: Recognizer, text: str) -> tuple[Span, ...]:
    return recognizer.recognize([text])[0].spans


def test_a_spawned_process_recognizes(model: Path, documents: list[Document]) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    expected = [spans_of(recognizer, document.text) for document in documents[:2]]
    with multiprocessing.get_context("spawn").Pool(1) as workers:
        assert workers.starmap(spans_of, [(recognizer, document.text) for document in documents[:2]]) == expected
    direct = Recognizer(SavedModel.load(model, device=torch.device("cpu")), recognizer.encoder, recognizer.runtime)
    with pytest.raises(TypeError, match="loaded from a folder can be sent to another process"):
        pickle.dumps(direct)


def test_a_model_is_found_with_its_encoder_from_any_folder(
    model: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, manifest = tmp_path / "project/models/head", json.loads((model / "manifest.json").read_text())
    shutil.copytree(model, head)
    manifest["encoder"] |= {"model": "encoders/tiny", "local": True}
    (head / "manifest.json").write_text(json.dumps(manifest))
    shutil.copytree(tiny_encoder, tmp_path / "project/encoders/tiny")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Recognizer.load(head, device="cpu").recognize(["Jan spí."])
    alone = tmp_path / "elsewhere/head"
    head.rename(alone)
    with pytest.raises(UsageError, match=r"encoder 'encoders/tiny': no such folder here .*`--encoder FOLDER`"):
        Recognizer.load(alone, device="cpu")
    assert Recognizer.load(alone, device="cpu", encoder=str(tmp_path / "project/encoders/tiny"))


def test_an_unknown_language_is_guessed_from_all_sentences(model: Path, documents: list[Document]) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    (found,) = recognizer.recognize_documents([replace(documents[4], language="und")])
    assert found.language == "ru"


def test_results_are_typed(model: Path, documents: list[Document]) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    (found,) = recognizer.recognize([documents[0].text], n_best=3)
    assert [span.text for span in found.spans] == ["Jana Nováková", "Prahy"]
    assert len(found.readings) == len(found.sentences) == 2
    assert all(1 <= len(readings) <= 3 for readings in found.readings)
    for readings in found.readings:
        chances = [reading.probability for reading in readings]
        assert chances == sorted(chances, reverse=True)
        assert 0 < sum(chances) <= 1 + 1e-6
    best = tuple(span for readings in found.readings for span in readings[0].spans)
    assert best == found.spans
    record = json.loads(found.to_json())
    assert record["readings"][0]["best"][0]["spans"][0]["text"] == "Jana Nováková"
    assert recognizer.recognize([documents[0].text])[0].readings == ()
    with pytest.raises(UsageError, match="n_best must be at least 1, got 0"):
        recognizer.recognize(["Jan."], n_best=0)


def test_a_choice_of_labels_and_probabilities(model: Path, documents: list[Document]) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    texts = [document.text for document in documents]
    (found, *_) = recognizer.recognize(texts, labels=["LOC"])
    assert [span.label for span in found.spans] == ["LOC"]
    (found, *_) = recognizer.recognize(texts, min_probability={"LOC": 1.0})
    assert [span.label for span in found.spans] == ["PER"]
    with pytest.raises(UsageError, match="label 'EVT': the model has LOC, PER"):
        recognizer.recognize(texts, labels=["EVT"])


def test_a_stream_is_read_a_group_at_a_time(model: Path, documents: list[Document]) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    read = 0

    def texts() -> Iterator[str | Document]:
        nonlocal read
        for number in range(2000):
            read += 1
            yield documents[0].text if number % 2 else replace(documents[2], sentences=(), language="und")

    found = recognizer.stream(texts())
    assert read == 0
    ahead = []
    for number in range(300):
        document = next(found)
        ahead.append(read - number)
        assert document.id == (str(number) if number % 2 else documents[2].id)
    assert ahead[0] < 60
    assert max(ahead) * len(documents[0].text) < 1.2 * LARGEST


def test_a_result_does_not_depend_on_the_texts_beside_it(model: Path, documents: list[Document]) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    texts = [" ".join(document.text for document in documents[:n]) for n in (1, 6, 2, 5, 3, 4)]
    together = list(recognizer.stream(texts, n_best=2))
    for text, found in zip(texts, together, strict=True):
        (alone,) = recognizer.recognize([text], n_best=2)
        assert alone.spans == found.spans
        assert alone.language_probability == pytest.approx(found.language_probability, abs=1e-5)
        for one, other in zip(alone.spans, found.spans, strict=True):
            assert one.probability == pytest.approx(other.probability, abs=1e-5)
        for ours, theirs in zip(alone.readings, found.readings, strict=True):
            assert [r.probability for r in ours] == pytest.approx([r.probability for r in theirs], abs=1e-5)


@pytest.mark.parametrize("texts", ["Jan spí.", ["Jan", b"Jan"]])
def test_a_stream_of_something_else_is_a_type_error(model: Path, texts: object) -> None:
    with pytest.raises(TypeError, match="texts"):
        list(Recognizer.load(model, device="cpu").stream(texts))  # type: ignore[arg-type]


def test_a_text_of_unknown_letters_is_warned_of(model: Path) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    with pytest.warns(UserWarning, match=r"document 1: 3 of 3 words have letters that the encoder does not know"):
        recognizer.recognize(["Jana spí", "赵钱孙"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recognizer.recognize(["Jana spí"])
