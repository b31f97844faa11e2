from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path

import pytest
import torch

import ner_head
from ner_head import cli
from ner_head.corpus.documents import Document, Span, read_documents, sentence_id
from ner_head.corpus.segment import SEGMENTATION
from ner_head.errors import DataError, UsageError
from ner_head.features.store import FeatureStore
from ner_head.head.params import HeadParams, LstmParams
from ner_head.predictions import predict_from_store
from ner_head.recognizer import Recognizer
from ner_head.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from ner_head.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer
from tests.conftest import ROOT
from tests.features.test_limits import in_a_fork

LABELS, LANGUAGES = ["LOC", "PER"], ["cs", "pl", "ru"]


@pytest.fixture(scope="module")
def model(
    store: FeatureStore, documents: list[Document], tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A head that knows the six documents by heart."""
    encoder = store.manifest.encoder.model_copy(update={"model": str(tiny_encoder)})
    manifest = ModelManifest(
        scheme="iob",
        labels=LABELS,
        languages=LANGUAGES,
        segmentation=SEGMENTATION,
        encoder=encoder,
        head=HeadParams(lstm=LstmParams(hidden=16), projection=16, classifier=8, dropout=0.0),
        training=TrainingRecord(seed=0, epoch=40, dev_f1=1.0),
    )
    torch.manual_seed(0)
    head = new_head(manifest)
    params = TrainingParams(epochs=40, batch_size=4, learning_rate=0.01)
    trainer = Trainer(head, manifest.tag_set, LANGUAGES, params=params, device=torch.device("cpu"))
    trainer.fit(examples(documents, manifest.tag_set, LANGUAGES), [], store)
    folder = tmp_path_factory.mktemp("model")
    SavedModel(manifest, head).save(folder)
    return folder


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


def run(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["ner-head", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    output = capsys.readouterr()
    return int(stop.value.code or 0), output.out, output.err


def test_predict_writes_a_json_line_per_text(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"Jan Kowalski mieszka w Warszawie.\r\nTo miasto.")
    text = "Jana Nováková přijela do Prahy. Vláda mlčela."
    code, out, _ = run(
        "predict", str(file), "--text", text, "--model", str(model), capsys=capsys, monkeypatch=monkeypatch
    )
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert first["text"] == text
    assert first["language"] == "cs"
    shown = dict(first["spans"][0])
    assert 0 < shown.pop("probability") <= 1
    assert shown == {"start": 0, "end": 13, "label": "PER", "text": "Jana Nováková"}
    assert second["id"] == str(file)
    assert second["text"] == file.read_bytes().decode()
    assert all(second["text"][s["start"] : s["end"]] == s["text"] for s in second["spans"])


def test_predict_runs_on_as_many_threads_as_asked(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    arguments = ("predict", "--text", "x", "--model", str(model))
    run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert 3 not in asked
    run(*arguments, "--threads", "3", capsys=capsys, monkeypatch=monkeypatch)
    assert 3 in asked
    code, _, err = run("predict", "--text", "x", "--threads=-1", capsys=capsys, monkeypatch=monkeypatch)
    assert code == 2
    assert "--threads" in err


def test_less_probable_spans_are_left_out_on_demand(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, documents: list[Document]
) -> None:
    texts = [text for document in documents for text in ("--text", document.text)]

    def probabilities(*options: str) -> list[float]:
        code, out, _ = run("predict", *texts, "--model", str(model), *options, capsys=capsys, monkeypatch=monkeypatch)
        assert code == 0
        return [span["probability"] for line in out.splitlines() for span in json.loads(line)["spans"]]

    everything = probabilities()
    middle = sorted(everything)[len(everything) // 2]
    assert probabilities("--min-probability", "0") == everything
    assert probabilities("--min-probability", str(middle - 1e-4)) == [p for p in everything if p > middle - 1e-4]
    assert len(probabilities("--min-probability", "1")) < len(everything)


def test_the_models_temperatures_are_used(model: Path, tmp_path: Path, documents: list[Document]) -> None:
    warm = tmp_path / "warm"
    shutil.copytree(model, warm)
    manifest = json.loads((warm / "manifest.json").read_text())
    assert manifest["temperatures"] == {"spans": 1.0, "languages": 1.0}
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


def test_predict_reads_standard_input(model: Path) -> None:
    command = [sys.executable, "-m", "ner_head.cli", "predict", "-", "--model", str(model)]
    text = "Анна Петрова живёт в Москве. Она рада."
    found = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    record = json.loads(found.stdout)
    assert [s["text"] for s in record["spans"]] == ["Анна Петрова", "Москве"]
    assert record["language"] == "ru"


def test_wrong_input_is_one_line_and_an_exit_code(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "latin.txt").write_bytes("Plzeň".encode("cp1250"))
    (tmp_path / "utf16.txt").write_bytes("Plzeň".encode("utf-16"))
    cases = [
        (["predict"], 2, "nothing to read"),
        (["predict", str(tmp_path / "absent.txt")], 2, "absent.txt: No such file or directory"),
        (["predict", str(tmp_path / "latin.txt")], 3, "latin.txt: not UTF-8 at byte 4"),
        (["predict", "--text", "x", "--model", str(tmp_path)], 3, "train one with `dvc repro`"),
        (["predict", "--text", "x", "--model", str(model), "--device", "cuda"], 2, "no cuda device"),
        (["predict", "--text", "x", "--model", str(model), "--device", "tpu"], 2, "runtime.device"),
        (
            ["predict", "--text", "x", "--min-probability", "1.5"],
            2,
            "--min-probability: must be between 0 and 1, got 1.5",
        ),
        (["embed", str(tmp_path / "out"), "--text", "x", "--encoder", "no/such/folder/x"], 2, "no such folder"),
        (["embed", str(tmp_path / "out"), "--text", " "], 3, "no words in any text"),
        (["embed", str(tmp_path / "out"), "--text", "x", "--language", "xx"], 2, "language 'xx': no code of ISO 639"),
        (["predict", str(tmp_path)], 2, "Is a directory"),
        (["predict", str(tmp_path / "utf16.txt")], 3, "utf16.txt: not UTF-8 at byte 0 (it is UTF-16)"),
        (["predict", "--text", "Plze\udcf2"], 2, "--text 1: not UTF-8 at character 4"),
        (["predict", "-", "-"], 2, "-: given twice; every text needs an id of its own"),
        (["predict", "a.txt", "a.txt"], 2, "a.txt: given twice"),
        (["embed", str(tmp_path / "out"), "a.txt", "b.txt", "a.txt"], 2, "a.txt: given twice"),
        (["embed", str(tmp_path / "out"), "text-1", "--text", "x"], 2, "text-1: given twice"),
        (["predict", "--text", "x", "--model", str(model), "--language", "xx"], 2, "language 'xx': no code of ISO 639"),
    ]
    if torch.cuda.is_available():
        del cases[4]
    for arguments, expected, message in cases:
        code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
        assert (code, out) == (expected, "")
        assert message in err
        assert len(err.splitlines()) == 1 + ("text-1: no text in it" in err)
        assert not (tmp_path / "out").exists()


def test_embed_writes_a_feature_store(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "store"
    options = ["--text", "Ahoj, světe. Jak je?", "--encoder", str(tiny_encoder), "--language", "cs"]
    code, _, _ = run("embed", str(out), *options, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    (document,) = read_documents(out / "documents.jsonl")
    store = FeatureStore.open(out)
    for i, sentence in enumerate(document.sentences):
        features = store[sentence_id(document.key, i)]
        assert features.hidden.shape == (len(features.piece_ids), 3, 16)
        assert int(features.word_of_piece[-1]) + 1 == len(sentence.words)


def test_embed_does_not_mix_encoders(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_encoder, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"layer_norm_eps": 1e-12', '"layer_norm_eps": 1e-05'))

    def embed(text: str, encoder: Path) -> tuple[int, str, str]:
        options = ["--text", text, "--encoder", str(encoder), "--quiet"]
        return run("embed", str(tmp_path / "store"), *options, capsys=capsys, monkeypatch=monkeypatch)

    assert embed("Ahoj.", tiny_encoder)[0] == 0
    before = (tmp_path / "store/manifest.json").read_bytes()
    code, _, err = embed("Ahoj.", other)
    assert code == 3
    assert f"holds features of another encoder ({tiny_encoder}); take another folder" in err
    assert (tmp_path / "store/manifest.json").read_bytes() == before
    assert embed("Nazdar.", tiny_encoder)[0] == 0


def test_a_text_without_words_is_named_and_kept(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.txt").touch()
    arguments = ["predict", str(tmp_path / "empty.txt"), "--text", "Jan spí.", "--model", str(model)]
    code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["Jan spí.", ""]
    assert err == f"ner-head: {tmp_path / 'empty.txt'}: no text in it\n"


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes there")
def test_a_name_that_is_not_utf8_is_escaped(model: Path, tmp_path: Path) -> None:
    name = b"caf\xe9.txt"
    (tmp_path / os.fsdecode(name)).write_text("Jan Kowalski mieszka w Warszawie.", encoding="utf-8")
    command = [sys.executable, "-m", "ner_head.cli", "predict", name, "--model", str(model)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env=environment)
    assert json.loads(found.stdout)["id"] == "caf\\xe9.txt"


@pytest.mark.parametrize(
    ("given", "shown", "line"),
    [
        ("PL", "pl", ""),
        ("ces", "cs", ""),
        ("uk", "uk", "ner-head: this model was trained on cs, pl, ru, not on uk: expect worse results\n"),
    ],
)
def test_the_language_given_is_normalised_and_an_unknown_one_is_told(
    model: Path,
    given: str,
    shown: str,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["predict", "--text", "Jan spí.", "--model", str(model), "--language", given]
    code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    record = json.loads(out)
    assert (code, record["language"], record["language_probability"], err) == (0, shown, None, line)


def test_a_guessed_language_has_its_probability(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, documents: list[Document]
) -> None:
    arguments = ["predict", "--text", documents[0].text, "--model", str(model)]
    code, out, _ = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    record = json.loads(out)
    assert (code, record["language"]) == (0, "cs")
    assert 0.5 <= record["language_probability"] <= 1


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


def test_help_starts_without_torch() -> None:
    code = "import sys, ner_head, ner_head.cli; print(sorted({'torch', 'transformers', 'h5py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = ner_head.Nothing


def test_an_unknown_language_is_guessed_from_all_sentences(model: Path, documents: list[Document]) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    (found,) = recognizer.recognize_documents([replace(documents[4], language="und")])
    assert found.language == "ru"
